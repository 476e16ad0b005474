"""The scenes of the demonstration: the person makes mistakes, then does what is asked."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.script import Actor
from loadtest.synthetic.look import Look
from shared.codes import PROMPTS, hint

MISTAKES: tuple[tuple[str, Look], ...] = (
    ("stands too far away", Look(distance=1.8)),
    ("is blurred", Look(blur=4.0)),
    ("stands in the dark", Look(brightness=0.15)),
    ("looks to the side", Look(yaw=28.0)),
    ("has the eyes shut", Look(left_eye_closed=1.0, right_eye_closed=1.0)),
)
FRAMES_EACH = 2
PLAIN = "looks into the camera"


class Scenes:
    """The scenes in order; the last one, in which the person does what is asked, never ends."""

    def __init__(self) -> None:
        self._mistakes = [scene for scene in MISTAKES for _ in range(FRAMES_EACH)]
        self._actor = Actor()
        self._doing = PLAIN

    def follow(self, codes: Iterable[int]) -> None:
        """React to the codes of the previous frame."""
        asked = [code for code in codes if code in PROMPTS]
        for code in asked:
            self._actor.ask(code)
        self._doing = f"is asked: {hint(asked[-1]).lower()}" if asked else PLAIN

    def next(self, now: float) -> tuple[str, Look]:
        """Return the name of the scene and the look at a time in seconds."""
        if self._mistakes:
            return self._mistakes.pop(0)
        return self._doing, self._actor.look(now)
