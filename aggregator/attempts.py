"""A session's attempts, and the bounds on them."""

from __future__ import annotations

from shared.codes import Code
from shared.config.manual import LivenessSection
from shared.config.service import LimitsSection
from shared.frame.estimation import Estimate


class Attempts:
    """Counts the frames of a session that are bounded.

    Args:
        section: the manual's bounds; after the last of them the session ends with what it has.
        limits: our own bound, on refusals for low liveness.
    """

    def __init__(self, section: LivenessSection, limits: LimitsSection) -> None:
        self._section = section
        self._max_refusals = limits.livenessRefusals
        self._frames = 0
        self._reached_liveness = 0
        self._refusals = 0

    def count(self, estimate: Estimate) -> None:
        """Count a frame, whatever becomes of it."""
        self._frames += 1
        self._reached_liveness += estimate.reached_liveness

    def count_refusal(self, estimate: Estimate) -> None:
        """Count a frame that was not sent before, if its liveness score was too low.

        A frame whose quality score alone was too low (code 33) is no refusal: people who come too
        close get that one, and it says nothing of a liveness that was guessed.
        """
        self._refusals += Code.LOW_LIVENESS in estimate.errors

    @property
    def exhausted(self) -> bool:
        """Whether the session ends with its last frame."""
        most, most_liveness = self._section.maxAttempts, self._section.maxLivenessAttempts
        return 0 < most <= self._frames or 0 < most_liveness <= self._reached_liveness

    @property
    def too_many_refusals(self) -> bool:
        """Whether as many frames were refused for low liveness as are allowed."""
        return 0 < self._max_refusals <= self._refusals
