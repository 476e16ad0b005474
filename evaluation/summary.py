"""Summary of a measured set as plain data for JSON and the report."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import metrics
from evaluation.calibration import choose_thresholds, costs
from evaluation.judging import failures
from evaluation.metrics import Scores
from evaluation.notes import sample_notes
from evaluation.samples import ATTACK, LIVE
from evaluation.scoring import Scored
from shared.codes import finding
from shared.frame.checks import Rules
from shared.frame.estimation import Stage

BOUNDS = (0.01, 0.05, 0.10)
MAX_FINITE = 1e300
"""Larger numbers, such as the threshold next to infinity, count as infinite."""


def summarise(
    scored: Sequence[Scored],
    rules: Rules,
    *,
    unit: str,
    window: int,
    development: Sequence[Scored] = (),
) -> dict[str, Any]:
    """Summarise a set; the service takes the mean over ``window`` frames.

    ``whatToSet`` has thresholds for several aims, chosen on the development set or, without one, on
    the set itself, and the errors of this set with them.
    """
    threshold = rules.thresholds.livenessScore
    chosen_on = development or scored
    return {
        **_rates(_answered(scored), threshold, _alone, _answered(chosen_on)),
        "nonResponse": _non_response(scored),
        "served": _rates(scored, threshold, _served, chosen_on),
        "threshold": threshold,
        "unit": unit,
        "window": window,
        "development": len(development),
        "counts": _counts(scored),
        "checks": _checks(scored, rules),
        "groups": _groups(scored, threshold),
        "notes": _notes(scored) + _shared_subjects(scored, development),
        "thresholds": rules.thresholds.model_dump(mode="json"),
        "presentations": [_presentation(one, threshold) for one in scored],
    }


def _alone(one: Scored) -> float:
    return one.score or 0.0


def _served(one: Scored) -> float:
    return one.served


def _answered(scored: Sequence[Scored]) -> list[Scored]:
    return [one for one in scored if one.score is not None]


def _rates(
    scored: Sequence[Scored],
    threshold: float,
    value: Callable[[Scored], float],
    chosen_on: Sequence[Scored],
) -> dict[str, Any]:
    """All error rates for one kind of score."""
    groups = _by_species(scored)
    species, live = _values(scored, value)
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
        "atFixedApcer": _at_fixed_apcer(species, live, groups),
        "equalError": equal and [_number(equal.threshold), equal.apcer, equal.bpcer],
        "whatToSet": [
            {name: _number(cost) if isinstance(cost, float) else cost for name, cost in row.items()}
            for row in costs(species, live, choose_thresholds(*_values(chosen_on, value)))
        ],
        "det": [
            [_number(point.threshold), _number(point.apcer), _number(point.bpcer)]
            for point in curve
        ],
    }


def _values(
    scored: Sequence[Scored], value: Callable[[Scored], float]
) -> tuple[dict[str, Scores], Scores]:
    """Return the scores of attacks by species, and those of live presentations."""
    groups = _by_species(scored)
    species = {name: np.array([value(one) for one in group]) for name, group in groups.items()}
    live = species.pop("")
    return species, live


def _at_fixed_apcer(
    species: dict[str, Scores], live: Scores, groups: dict[str, list[Scored]]
) -> list[dict[str, Any]]:
    subjects = {name: [one.subject for one in group] for name, group in groups.items()}
    intervals = metrics.at_apcer_intervals(species, live, subjects, BOUNDS)
    points = (metrics.at_apcer(species, live, bound) for bound in BOUNDS)
    return [
        asdict(point)
        | {"threshold": _number(point.threshold), "bpcer": _number(point.bpcer)}
        | {"interval": interval}
        for point, interval in zip(points, intervals, strict=True)
    ]


def _groups(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    """Errors of live presentations by group; empty if the set names no groups."""
    live = [one for one in scored if one.measured.sample.live and one.measured.sample.group]
    names = sorted({one.measured.sample.group for one in live})
    groups = {name: [one for one in live if one.measured.sample.group == name] for name in names}
    return {
        name: {
            "bpcer": _refused(_answered(group), threshold, _alone),
            "served": _refused(group, threshold, _served),
            "codes": _codes(group),
        }
        for name, group in groups.items()
    }


def _refused(
    group: Sequence[Scored], threshold: float, value: Callable[[Scored], float]
) -> dict[str, Any]:
    return _intervals(group, np.array([value(one) < threshold for one in group], dtype=bool))


def _codes(group: Sequence[Scored]) -> list[Any]:
    """Count the codes of refused presentations, most frequent first."""
    counts = Counter(int(code) for one in group for code in one.codes)
    return [[code, finding(code), count] for code, count in counts.most_common()]


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


def _shared_subjects(scored: Sequence[Scored], development: Sequence[Scored]) -> list[str]:
    """Warn of people on whom a threshold was chosen and who are judged by it."""
    shared = {one.subject for one in scored} & {one.subject for one in development}
    if not shared:
        return []
    return [
        f"{len(shared)} subject(s) are also in the development set, such as {min(shared)!r}: the"
        " errors at its thresholds look better than they are."
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
