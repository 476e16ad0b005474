"""Wald's sequential probability ratio test over frames that vote for or against a live person."""

from math import log

LIVE_VOTES, ATTACK_VOTES = 0.9, 0.2
"""Assumed share of frames that vote for live: of a live person, and of an attack. Both are more
pessimistic than single images show, because the frames of one session are not independent."""
FALSE_ACCEPT, FALSE_REFUSE = 0.01, 0.01
"""Target error rates of the test, if frames were independent."""

FOR = log(LIVE_VOTES / ATTACK_VOTES)
AGAINST = log((1 - LIVE_VOTES) / (1 - ATTACK_VOTES))
UPPER = log((1 - FALSE_REFUSE) / FALSE_ACCEPT)
LOWER = log(FALSE_REFUSE / (1 - FALSE_ACCEPT))


class SequentialTest:
    """Adds up the log-likelihood ratios of votes until they reach a bound (Wald 1945).

    Four votes for live in a row accept, three against in a row refuse; mixed votes take longer. A
    refusal is final. It accepts only while the sum is at the upper bound.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self.refuses = False

    @property
    def accepts(self) -> bool:
        """Whether the votes so far are enough to accept."""
        return not self.refuses and self._sum >= UPPER

    def withdraw_support(self) -> None:
        """Discard evidence for a live person; retain evidence against."""
        self._sum = min(self._sum, 0.0)

    def add(self, live: bool) -> None:
        """Add one frame's vote. The sum never exceeds the upper bound."""
        self._sum = min(UPPER, self._sum + (FOR if live else AGAINST))
        self.refuses = self.refuses or self._sum <= LOWER
