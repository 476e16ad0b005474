"""Summary of a measured set as plain data for JSON and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import metrics
from evaluation.judging import Measured, failures, liveness_score, served_score
from evaluation.notes import sample_notes
from evaluation.samples import ATTACK, LIVE
from shared.codes import Code, finding
from shared.frame.checks import Rules
from shared.frame.estimation import Stage

BOUNDS = (0.01, 0.05, 0.10)
MAX_FINITE = 1e300
"""Larger numbers, such as the threshold next to infinity, count as infinite."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A presentation with its scores.

    Attributes:
        measured: sample and estimates.
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


def summarise(scored: Sequence[Scored], rules: Rules, *, unit: str, window: int) -> dict[str, Any]:
    """Summarise a set; the service takes the mean over ``window`` frames."""
    threshold = rules.thresholds.livenessScore
    answered = [one for one in scored if one.score is not None]
    return {
        **_rates(answered, threshold, lambda one: one.score or 0.0),
        "nonResponse": _non_response(scored),
        "served": _rates(scored, threshold, lambda one: one.served),
        "threshold": threshold,
        "unit": unit,
        "window": window,
        "counts": _counts(scored),
        "checks": _checks(scored, rules),
        "notes": _notes(scored),
        "thresholds": rules.thresholds.model_dump(mode="json"),
        "presentations": [_presentation(one, threshold) for one in scored],
    }


def _rates(
    scored: Sequence[Scored], threshold: float, value: Callable[[Scored], float]
) -> dict[str, Any]:
    """All error rates for one kind of score."""
    groups = _by_species(scored)
    species = {name: np.array([value(one) for one in group]) for name, group in groups.items()}
    live = species.pop("")
    curve = metrics.det(species, live)
    equal = metrics.equal_error(curve)
    return {
        "apcer": {
            name: _number(metrics.apcer(values, threshold)) for name, values in species.items()
        },
        "apcerMax": _number(metrics.worst_apcer(species, threshold)),
        "bpcer": _number(metrics.bpcer(live, threshold)),
        "acer": _number(metrics.acer(species, live, threshold)),
        "halfTotalError": _number(metrics.half_total(species, live, threshold)),
        "intervals": {
            "apcer": {
                name: _intervals(groups[name], values >= threshold)
                for name, values in species.items()
            },
            "bpcer": _intervals(groups[""], live < threshold),
        },
        "atFixedApcer": [
            asdict(point) | {"threshold": _number(point.threshold), "bpcer": _number(point.bpcer)}
            for point in (metrics.at_apcer(species, live, bound) for bound in BOUNDS)
        ],
        "equalError": equal and [_number(equal.threshold), equal.apcer, equal.bpcer],
        "det": [
            [_number(point.threshold), _number(point.apcer), _number(point.bpcer)]
            for point in curve
        ],
    }


def _by_species(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Presentations by species, sorted; live ones, even if there are none, have the name ''."""
    names = sorted({"", *(one.species for one in scored)})
    return {name: [one for one in scored if one.species == name] for name in names}


def _intervals(group: Sequence[Scored], wrong: NDArray[np.bool_]) -> dict[str, Any]:
    subjects = [one.subject for one in group]
    return {"subjects": len(set(subjects)), **metrics.intervals(wrong.tolist(), subjects)}


def _unscored(group: Sequence[Scored]) -> int:
    return sum(one.score is None for one in group)


def _non_response(scored: Sequence[Scored]) -> dict[str, float]:
    """Share of presentations without any liveness score (APNRR and BPNRR of the standard)."""
    groups = _by_species(scored).items()
    return {name or LIVE: _unscored(group) / len(group) for name, group in groups if group}


def _counts(scored: Sequence[Scored]) -> dict[str, Any]:
    counts = {name: len(group) for name, group in _by_species(scored).items()}
    frames = [len(one.measured.frames) for one in scored]
    return {
        "presentations": len(scored),
        LIVE: counts.pop(""),
        ATTACK: counts,
        "subjects": len({one.subject for one in scored}),
        "frames": sum(frames),
        "unreadable": frames.count(0),
    }


def _checks(scored: Sequence[Scored], rules: Rules) -> list[dict[str, Any]]:
    """For each code: frames that fail its check first, and all that fail it."""
    totals: Counter[str] = Counter()
    first: Counter[tuple[int, str]] = Counter()
    anywhere: Counter[tuple[int, str]] = Counter()
    stages: dict[int, Stage] = {}
    for one in scored:
        label = ATTACK if one.species else LIVE
        for frame in one.measured.frames:
            totals[label] += 1
            found = failures(frame, rules)
            independent = found if frame.faces else found[:1]  # no face causes all others
            for index, (stage, codes) in enumerate(independent):
                for code in codes:
                    stages[code] = stage
                    anywhere[code, label] += 1
                    if index == 0:
                        first[code, label] += 1
    return [
        {"code": int(code), "finding": finding(code), "stage": stages[code].name.lower()}
        | {
            label: {
                "first": first[code, label],
                "any": anywhere[code, label],
                "of": totals[label],
            }
            for label in (LIVE, ATTACK)
        }
        for code in sorted(stages, key=lambda code: (stages[code], code))
    ]


def _notes(scored: Sequence[Scored]) -> list[str]:
    """Warnings about the set that a reader must know before quoting a figure."""
    groups = _by_species(scored)
    notes = sample_notes({name: [one.subject for one in of] for name, of in groups.items()})
    if refused := [one.measured for one in scored if one.measured.refused]:
        first = refused[0]
        notes.append(
            f"{len(refused)} file(s) were refused, as the service would refuse them; the first is "
            f"{first.sample.name}: {first.refused}."
        )
    excluded = [
        f"{_unscored(group)} of {len(group)} {name or LIVE!r}"
        for name, group in groups.items()
        if _unscored(group)
    ]
    if excluded:
        notes.append(
            "Excluded from the rates of the liveness estimation alone, for lack of a score:"
            f" {', '.join(excluded)}."
        )
    return notes


def _presentation(one: Scored, threshold: float) -> dict[str, Any]:
    sample, frames = one.measured.sample, one.measured.frames
    spent = [sum(frame.timings.values()) for frame in frames]
    return {
        "path": sample.name,
        "label": LIVE if sample.live else ATTACK,
        "species": sample.species,
        "subject": sample.subject,
        "frames": len(frames),
        "refused": one.measured.refused or None,
        "score": one.score,
        "served": _number(one.served),
        "accepted": one.served >= threshold,
        "codes": [int(code) for code in one.codes],
        "milliseconds": round(float(np.mean(spent)), 1) if spent else None,
    }


def _number(value: float) -> float | None:
    """Replace infinity and NaN, which JSON lacks, with None."""
    return value if isfinite(value) and abs(value) < MAX_FINITE else None
