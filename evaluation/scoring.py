"""Scores of presentations: of the liveness estimation alone, and of the whole service."""

from dataclasses import dataclass, replace

from evaluation.judging import Measured, failures, liveness_score, served_score
from shared.codes import Code
from shared.frame.checks import Rules


@dataclass(frozen=True, slots=True)
class Scored:
    """A presentation with its scores.

    Attributes:
        score: score of the liveness estimation alone; None if no frame has one.
        served: score of the whole service; minus infinity if it never accepts.
        codes: codes of the first failed stage, of the frame that passed the most stages.
    """

    measured: Measured
    score: float | None
    served: float
    codes: tuple[int, ...]

    @property
    def species(self) -> str:
        """Kind of attack; empty for a live presentation."""
        return self.measured.sample.species

    @property
    def subject(self) -> str:
        """The person presenting."""
        return self.measured.sample.subject


def score(measured: Measured, rules: Rules, window: int) -> Scored:
    """Score one presentation, by the liveness estimation alone and as served."""
    return Scored(
        measured,
        liveness_score(measured),
        served_score(measured, rules, window),
        _furthest(measured, rules),
    )


def _furthest(measured: Measured, rules: Rules) -> tuple[int, ...]:
    if measured.refused and not measured.frames:
        return (Code.FRAME_UNDECODABLE,)
    first = [next(iter(failures(frame, rules)), None) for frame in measured.frames]
    if not first or None in first:
        return ()
    return max((failure for failure in first if failure), key=lambda failure: failure[0])[1]


def by_frame(measured: Measured) -> list[Measured]:
    """Split a presentation into one per frame, of the same subject."""
    if len(measured.frames) < 2:
        return [measured]
    sample = measured.sample
    return [
        Measured(replace(sample, name=f"{sample.name} frame {index + 1}"), (frame,), first=index)
        for index, frame in enumerate(measured.frames)
    ]
