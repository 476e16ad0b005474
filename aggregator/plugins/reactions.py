"""How fast a person reacts to prompts, and which reactions no person has.

A program that feeds images to the service can read the prompt from the answer and show the action
at once, or after a fixed pause. A reaction is measured from the moment at which the prompt was sent
to the arrival of the first frame that shows the action, both by the gateway's clock. So it includes
the way to the client and back, and is never shorter than the person's own.
"""

MIN_SECONDS = 0.1
"""No person reacts faster. In a sprint, a start less than 0.100 s after the gun is a false start
(World Athletics, Technical Rules, TR 16.6), and people react to what they see some 0.04 s later
than to what they hear (Brebner and Welford in Welford, Reaction Times, 1980)."""
CONSTANT_SECONDS = 0.001
"""Reactions that differ by less are constant. A person's own vary by some 0.02 s from one prompt to
the next, and the pace of the camera adds to that."""
MIN_REACTIONS = 3
"""Fewer reactions may be equal by chance: frames come at an even pace."""


class Reactions:
    """The reactions to the prompts of one sequence of actions.

    A reaction counts only if both moments are known: after a take-over by another gateway, the
    moment of a prompt is not.
    """

    def __init__(self) -> None:
        self._is_asked = self._is_sent = False
        self._prompted: float | None = None
        self._seconds: list[float] = []

    def expect(self) -> None:
        """Wait for the prompt of the next action."""
        self._is_asked = self._is_sent = False
        self._prompted = None

    def ask(self) -> None:
        """Record that the answer to the current frame has the prompt; the first one counts."""
        self._is_asked = True

    def sent(self, at: float | None) -> None:
        """Record when the answer to the frame before was sent, in session time, if known."""
        if self._is_asked and not self._is_sent:
            self._is_sent, self._prompted = True, at

    def shown(self, at: float) -> None:
        """Record when the first frame arrived that shows the action, in session time."""
        if self._prompted is not None:
            self._seconds.append(at - self._prompted)

    @property
    def are_impossible(self) -> bool:
        """Whether no person has such reactions: one too fast, or all equal."""
        fastest, slowest = min(self._seconds, default=1.0), max(self._seconds, default=1.0)
        constant = slowest - fastest < CONSTANT_SECONDS and len(self._seconds) >= MIN_REACTIONS
        return constant or fastest < MIN_SECONDS
