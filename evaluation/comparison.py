"""Compares two reports of ``lunapass evaluate`` on the same set.

Presentations are matched by their path in the set. The same code reads reports of frames and of
sessions: each kind has views, which say what counts as an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from evaluation.paired import Pair, RateChange, changes, half_total_change
from evaluation.samples import LIVE
from evaluation.session_summary import LIVE_ERRORS
from evaluation.verdicts import SessionOutcome
from shared.errors import ResourceError
from shared.text_files import read_text

HALF_TOTAL = "half total error"
Curve = list[tuple[float | None, float | None, float | None]]


class JudgedPresentation(msgspec.Struct, frozen=True):
    """What a report says about one presentation: of frames a score, of sessions an outcome."""

    path: str
    label: Literal["live", "attack"]
    species: str
    subject: str
    score: float | None = None
    accepted: bool = False
    outcome: SessionOutcome | None = None

    @property
    def live(self) -> bool:
        """Whether it is a live presentation."""
        return self.label == LIVE


class EvaluationReport(msgspec.Struct, frozen=True):
    """The parts of a report that are compared; ``threshold`` and ``det`` only of frames.

    ``settings`` are those of simulated sessions, which have nothing to compare.
    """

    presentations: list[JudgedPresentation] = []
    sessions: list[JudgedPresentation] = []
    threshold: float = 0.5
    unit: str = "session"
    det: Curve = []
    settings: list[Any] = []

    @classmethod
    def read(cls, path: Path) -> EvaluationReport:
        """Read a report.

        Raises:
            ResourceError: the file cannot be read, or is no report of ``lunapass evaluate --json``.
        """
        try:
            report = msgspec.json.decode(read_text(path, kind=ResourceError), type=cls)
        except msgspec.DecodeError as error:
            raise ResourceError(f"{path}: is no report of 'evaluate --json': {error}") from error
        if report.settings:
            raise ResourceError(f"{path}: reports of simulated sessions cannot be compared")
        if bool(report.presentations) == bool(report.sessions):
            raise ResourceError(f"{path}: has no presentations; make it with 'evaluate --json'")
        if any(one.outcome is None for one in report.sessions):
            raise ResourceError(f"{path}: a session has no outcome")
        return report

    @property
    def judged(self) -> dict[str, JudgedPresentation]:
        """All presentations by path."""
        return {one.path: one for one in self.presentations or self.sessions}


Counts = Callable[[JudgedPresentation, float], bool | None]
"""Whether a presentation counts at a threshold; None if it has no such judgement."""


@dataclass(frozen=True, slots=True)
class CountedView:
    """One way to count presentations.

    Attributes:
        errors: whether what counts are errors, so that there is a half total error.
    """

    title: str
    counts: Counts
    errors: bool = True


def _alone(one: JudgedPresentation, threshold: float) -> bool | None:
    return None if one.score is None else (one.score >= threshold) != one.live


def _served(one: JudgedPresentation, _threshold: float) -> bool:
    return one.accepted != one.live


def _wrong(one: JudgedPresentation, _threshold: float) -> bool:
    return one.outcome in (LIVE_ERRORS if one.live else (SessionOutcome.ACCEPTED,))


def _asked(one: JudgedPresentation, _threshold: float) -> bool:
    return one.outcome is SessionOutcome.ASKED


FRAME_VIEWS = (CountedView("liveness estimation alone", _alone), CountedView("as served", _served))
SESSION_VIEWS = (
    CountedView("errors of sessions", _wrong),
    CountedView("sessions asked for an action", _asked, errors=False),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """The rates of a view in both reports; ``changes`` are by the name of the rate.

    ``half_total`` is None without live presentations or attacks.
    """

    view: CountedView
    changes: dict[str, RateChange]
    half_total: RateChange | None

    def rows(self) -> dict[str, RateChange]:
        """Return the changes of all rates by name."""
        return {**self.changes, **({HALF_TOTAL: self.half_total} if self.half_total else {})}


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """Two reports on the presentations that both have.

    Attributes:
        only: number of presentations that only the first and only the second report has.
    """

    before: EvaluationReport
    after: EvaluationReport
    views: list[Compared]
    only: tuple[int, int]

    @property
    def conclusion(self) -> str:
        """What the half total error of the last view with errors says, in one sentence."""
        found = [one.half_total for one in self.views if one.half_total and one.view.errors]
        if not found:
            return "Live presentations and attacks are needed to compare."
        half = found[-1]
        points = f"{100 * (half.after - half.before):+.1f} points"
        if half.interval is None:
            return (
                f"No conclusion: the half total error changes by {points}; there is no interval,"
                f" because {half.reason}."
            )
        low, high = half.interval
        points += f" ({100 * low:+.1f} to {100 * high:+.1f}, 95 %)"
        if high < 0:
            return f"The second is better: the half total error changes by {points}."
        if low > 0:
            return f"The second is worse: the half total error changes by {points}."
        return f"This set shows no difference: the half total error changes by {points}."

    def moved(self) -> list[tuple[JudgedPresentation, JudgedPresentation]]:
        """Return the presentations that a view counts in one report only."""
        return [
            pair
            for pair in _both(self.before, self.after)
            if any(_move(one.view, pair, self.before, self.after) for one in self.views)
        ]

    def data(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "conclusion": self.conclusion,
            "onlyBefore": self.only[0],
            "onlyAfter": self.only[1],
            "views": {
                one.view.title: {name: msgspec.to_builtins(row) for name, row in one.rows().items()}
                for one in self.views
            },
            "moved": [before.path for before, _ in self.moved()],
        }


def compare_reports(before: EvaluationReport, after: EvaluationReport) -> ReportComparison:
    """Compare two reports.

    Raises:
        ResourceError: they are of different kinds, have no presentation in common, or label one
            differently.
    """
    if (before.unit, bool(before.sessions)) != (after.unit, bool(after.sessions)):
        raise ResourceError(
            "only one of the reports is of sessions, or of frames; compare two of the same kind"
        )
    pairs = _both(before, after)
    if not pairs:
        raise ResourceError("the reports have no presentation in common; give the same set to both")
    for one, other in pairs:
        if (one.species, one.subject) != (other.species, other.subject):
            raise ResourceError(f"{one.path}: the reports differ in species or subject")
    views = SESSION_VIEWS if before.sessions else FRAME_VIEWS
    return ReportComparison(
        before,
        after,
        [_compared(view, pairs, before, after) for view in views],
        (len(before.judged) - len(pairs), len(after.judged) - len(pairs)),
    )


Both = tuple[JudgedPresentation, JudgedPresentation]


def _both(before: EvaluationReport, after: EvaluationReport) -> list[Both]:
    others = after.judged
    return [(one, others[path]) for path, one in before.judged.items() if path in others]


def _compared(
    view: CountedView, pairs: Sequence[Both], before: EvaluationReport, after: EvaluationReport
) -> Compared:
    judged = []
    for pair in pairs:
        first, second = _counted(view, pair, before, after)
        if first is not None and second is not None:
            judged.append(Pair(pair[0].species, pair[0].subject, first, second))
    names = {"": "BPCER" if view.errors else LIVE}
    found = changes(judged) if judged else {}
    rates = {
        names.get(species, f"APCER {species}" if view.errors else species): change
        for species, change in found.items()
    }
    return Compared(view, rates, half_total_change(judged) if judged and view.errors else None)


def _counted(
    view: CountedView, pair: Both, before: EvaluationReport, after: EvaluationReport
) -> tuple[bool | None, bool | None]:
    return view.counts(pair[0], before.threshold), view.counts(pair[1], after.threshold)


def _move(view: CountedView, pair: Both, before: EvaluationReport, after: EvaluationReport) -> bool:
    first, second = _counted(view, pair, before, after)
    return first is not second
