"""Thresholds that ``tune`` can vary, as data: the measure and the direction of the comparison.

``shared.frame.checks`` has the comparisons; this module adds what a what-if needs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.config.luna_pass import ThresholdsSection
from shared.frame.checks import Rules, margins
from shared.frame.estimation import Estimate, Stage

Measure = Callable[[Estimate], float | None]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold.

    Attributes:
        key: its name in the section ``LIVENESS.THRESHOLDS``.
        measure: returns the compared value; None if it was not measured.
        least: the value must be at least the threshold; if false, at most.
        range: values that a what-if tries, strictest last.
        whole: the threshold is an integer.
    """

    key: str
    stage: Stage
    measure: Measure
    least: bool
    range: tuple[float, ...]
    whole: bool = False

    def passes(self, value: float, threshold: float) -> bool:
        """Compare a value; equality passes."""
        return value >= threshold if self.least else value <= threshold

    def current(self, rules: Rules) -> float:
        """Return the configured value."""
        return float(getattr(rules.thresholds, self.key))

    def changed(self, rules: Rules, value: float) -> Rules:
        """Return the rules with another value of this threshold."""
        changed = rules.thresholds.model_dump() | {self.key: int(value) if self.whole else value}
        return Rules(ThresholdsSection.model_validate(changed), rules.limits)


def _of(part: str, field: str) -> Measure:
    """Return the measure that is a field of a part of the estimate; an angle is absolute."""

    def measure(one: Estimate) -> float | None:
        found = getattr(one, part)
        return None if found is None else abs(float(getattr(found, field)))

    return measure


def _margin(estimate: Estimate) -> float | None:
    return None if estimate.face is None else float(min(margins(estimate)))


def _mouth(estimate: Estimate) -> float | None:
    mouth = estimate.mouth
    return None if mouth is None else max(mouth.opened, mouth.smile, mouth.occluded)


_SHARES = tuple(round(step * 0.05, 2) for step in range(21))
_LENIENT_FIRST = tuple(reversed(_SHARES))
_ANGLES = tuple(float(degrees) for degrees in range(45, 0, -5))
_PIXELS = tuple(float(pixels) for pixels in range(80, 401, 20))
_BORDERS = tuple(float(pixels) for pixels in range(0, 61, 5))


def _at_least(key: str, stage: Stage, measure: Measure) -> Threshold:
    return Threshold(key, stage, measure, True, _SHARES)


THRESHOLDS: tuple[Threshold, ...] = (
    _at_least("blur", Stage.QUALITY, _of("quality", "blur")),
    _at_least("light", Stage.QUALITY, _of("quality", "light")),
    _at_least("dark", Stage.QUALITY, _of("quality", "darkness")),
    _at_least("illumination", Stage.QUALITY, _of("quality", "illumination")),
    _at_least("specularity", Stage.QUALITY, _of("quality", "specularity")),
    Threshold("faceWidth", Stage.POSITION, _of("face", "width"), True, _PIXELS, whole=True),
    Threshold("faceHeight", Stage.POSITION, _of("face", "height"), True, _PIXELS, whole=True),
    Threshold("frameMargin", Stage.POSITION, _margin, True, _BORDERS, whole=True),
    Threshold("yaw", Stage.HEAD_POSE, _of("head_pose", "yaw"), False, _ANGLES),
    Threshold("pitch", Stage.HEAD_POSE, _of("head_pose", "pitch"), False, _ANGLES),
    Threshold("roll", Stage.HEAD_POSE, _of("head_pose", "roll"), False, _ANGLES),
    Threshold("mouth", Stage.MOUTH, _mouth, False, _LENIENT_FIRST),
    _at_least("ags", Stage.AGS, lambda one: one.ags),
    _at_least("livenessScore", Stage.LIVENESS, _of("liveness", "score")),
    _at_least("livenessQualityScore", Stage.LIVENESS, _of("liveness", "quality_score")),
)
"""All thresholds, in the order of the stages."""
