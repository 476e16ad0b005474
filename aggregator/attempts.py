"""Limits on the number of a session's frames."""

from shared.codes import Code
from shared.config.luna_pass import LivenessSection
from shared.config.service import LimitsSection
from shared.frame.estimation import Estimate, Stage


class Attempts:
    """Counts a session's frames against their limits; one that reaches a limit ends the session."""

    def __init__(self, section: LivenessSection, limits: LimitsSection) -> None:
        self._section = section
        self._max_refusals = limits.livenessRefusals
        self._frames = 0
        self._reached_liveness = 0
        self._refusals = 0

    def count(self, estimate: Estimate) -> None:
        """Count any frame."""
        self._frames += 1
        if estimate.stage is Stage.LIVENESS:
            self._reached_liveness += 1

    def count_refusal(self, estimate: Estimate) -> bool:
        """Count a frame, not a copy, with low liveness; return whether the limit is reached.

        Code 33 (low quality score) does not count: people who come too close get it, and it reveals
        nothing about the liveness score.
        """
        if Code.LOW_LIVENESS in estimate.errors:
            self._refusals += 1
        return 0 < self._max_refusals <= self._refusals

    @property
    def exhausted(self) -> bool:
        """Whether the session ends with its last frame."""
        frames, liveness = self._section.maxAttempts, self._section.maxLivenessAttempts
        return 0 < frames <= self._frames or 0 < liveness <= self._reached_liveness
