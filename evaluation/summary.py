"""Summary of a measured set as plain data for JSON and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from evaluation import metrics
from evaluation.judging import Failure, Measured, failures, liveness_score, served_score
from evaluation.samples import ATTACK, LIVE
from shared.codes import Code, finding
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Stage

BOUNDS = (0.01, 0.05, 0.10)
MAX_FINITE = 1e300
"""Larger numbers, such as the threshold next to infinity, count as infinite."""
MIN_SUBJECTS = 30
"""With fewer subjects the report warns of a small sample."""


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
    """Summarise a set.

    Args:
        scored: its presentations.
        rules: thresholds.
        unit: what a presentation is, for the reader.
        window: frames that the service aggregates.
    """
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
        "notes": [*_notes(scored), *_without_score(scored)],
        "thresholds": rules.thresholds.model_dump(mode="json"),
        "presentations": [_presentation(one, threshold) for one in scored],
    }


def _rates(
    scored: Sequence[Scored], threshold: float, value: Callable[[Scored], float]
) -> dict[str, Any]:
    """All error rates for one kind of score."""
    live = _scores((one for one in scored if not one.species), value)
    names = sorted({one.species for one in scored if one.species})
    species = {
        name: _scores((one for one in scored if one.species == name), value) for name in names
    }
    curve = metrics.det(species, live)
    equal = metrics.equal_error(curve)
    return {
        "apcer": {name: _number(metrics.apcer(species[name], threshold)) for name in names},
        "apcerMax": _number(metrics.worst_apcer(species, threshold)),
        "bpcer": _number(metrics.bpcer(live, threshold)),
        "acer": _number(metrics.acer(species, live, threshold)),
        "intervals": {
            "apcer": {
                name: _intervals(
                    [one for one in scored if one.species == name],
                    lambda one: value(one) >= threshold,
                )
                for name in names
            },
            "bpcer": _intervals(
                [one for one in scored if not one.species], lambda one: value(one) < threshold
            ),
        },
        "atFixedApcer": [
            {
                "apcer": point.apcer,
                "threshold": _number(point.threshold),
                "bpcer": _number(point.bpcer),
                "supported": point.supported,
            }
            for point in (metrics.at_apcer(species, live, bound) for bound in BOUNDS)
        ],
        "equalError": equal and [_number(equal.threshold), equal.apcer, equal.bpcer],
        "det": [
            [_number(point.threshold), _number(point.apcer), _number(point.bpcer)]
            for point in curve
        ],
    }


def _scores(scored: Any, value: Callable[[Scored], float]) -> metrics.Scores:
    return np.array([value(one) for one in scored], float)


def _intervals(scored: Sequence[Scored], wrong: Callable[[Scored], bool]) -> dict[str, Any]:
    mistakes = [wrong(one) for one in scored]
    subjects = [one.measured.sample.subject for one in scored]
    return {
        "errors": sum(mistakes),
        "of": len(mistakes),
        "subjects": len(set(subjects)),
        "wilson": metrics.wilson(sum(mistakes), len(mistakes)),
        "bySubject": metrics.by_subject(mistakes, subjects) if mistakes else None,
    }


def _non_response(scored: Sequence[Scored]) -> dict[str, Any]:
    """Share of presentations without any liveness score (APNRR and BPNRR of the standard)."""
    names = sorted({one.species for one in scored})
    shares = {}
    for name in names:
        group = [one for one in scored if one.species == name]
        shares[name or LIVE] = sum(one.score is None for one in group) / len(group)
    return shares


def _counts(scored: Sequence[Scored]) -> dict[str, Any]:
    attacks = Counter(one.species for one in scored if one.species)
    frames = [len(one.measured.frames) for one in scored]
    return {
        "presentations": len(scored),
        LIVE: len(scored) - attacks.total(),
        ATTACK: dict(sorted(attacks.items())),
        "subjects": len({one.measured.sample.subject for one in scored}),
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
            for index, (stage, codes) in enumerate(_independent_failures(frame, rules)):
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


def _independent_failures(frame: Estimate, rules: Rules) -> list[Failure]:
    """Failures of a frame; without a face only that one, which causes all others."""
    found = failures(frame, rules)
    return found if frame.faces else found[:1]


def _notes(scored: Sequence[Scored]) -> list[str]:
    """Warnings about the set that a reader must know before quoting a figure."""
    counts = _counts(scored)
    small = []
    for name, count in ({LIVE: counts[LIVE]} | counts[ATTACK]).items():
        subjects = {o.measured.sample.subject for o in scored if (o.species or LIVE) == name}
        if len(subjects) < MIN_SUBJECTS:  # many presentations of one person are not a large sample
            of = f" by {len(subjects)} subject(s)" if len(subjects) < count else ""
            small.append(f"{count} of {name!r}{of}")
    notes = []
    if small:
        notes.append(
            f"A small sample: {', '.join(small)}. With no error among n, the rate is below about"
            " 3/n with 95 % confidence. Quote no error rate from this set."
        )
    if not counts[LIVE]:
        notes.append("There is no live presentation, so there is no BPCER.")
    if not counts[ATTACK]:
        notes.append("There is no attack, so there is no APCER.")
    if refused := [one.measured for one in scored if one.measured.refused]:
        first = refused[0]
        notes.append(
            f"{len(refused)} file(s) were refused, as the service would refuse them; the first is "
            f"{first.sample.name}: {first.refused}."
        )
    return notes


def _without_score(scored: Sequence[Scored]) -> list[str]:
    """A note on presentations that the rates of the liveness estimation alone exclude."""
    excluded = []
    for name, share in _non_response(scored).items():
        of = sum((one.species or LIVE) == name for one in scored)
        if share:
            excluded.append(f"{round(share * of)} of {of} {name!r}")
    if not excluded:
        return []
    return [
        "Excluded from the rates of the liveness estimation alone, for lack of a score:"
        f" {', '.join(excluded)}."
    ]


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
