"""Wald's sequential probability ratio test over frames that vote for or against a live person."""

from __future__ import annotations

from math import log

LIVE_VOTES, ATTACK_VOTES = 0.9, 0.2
"""Share of a live person's, and of an attack's, frames that are taken to vote for live. Frames of
one session resemble each other, so both are told worse than single pictures show."""
FALSE_ACCEPT, FALSE_REFUSE = 0.01, 0.01
"""Errors that the test is set to, were frames independent."""

FOR = log(LIVE_VOTES / ATTACK_VOTES)
AGAINST = log((1 - LIVE_VOTES) / (1 - ATTACK_VOTES))
UPPER = log((1 - FALSE_REFUSE) / FALSE_ACCEPT)
LOWER = log(FALSE_REFUSE / (1 - FALSE_ACCEPT))


class SequentialTest:
    """Sums what each vote says, until the sum speaks for one side (Wald 1945).

    Four votes for live in a row accept, three against in a row refuse; mixed ones take longer. Once
    it has refused it stays so; it accepts only while the sum speaks for it.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self.refuses = False

    @property
    def accepts(self) -> bool:
        """Whether the votes so far are enough for a live person."""
        return not self.refuses and self._sum >= UPPER

    def withdraw_support(self) -> None:
        """Forget what speaks for a live person, and nothing of what speaks against."""
        self._sum = min(self._sum, 0.0)

    def see(self, live: bool) -> None:
        """Take one frame's vote in; beyond what is needed to accept nothing is stored up."""
        self._sum = min(UPPER, self._sum + (FOR if live else AGAINST))
        self.refuses = self.refuses or self._sum <= LOWER
