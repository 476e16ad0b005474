"""Error rates of whole sessions: accepted, asked for an action, refused, by species."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation import metrics
from evaluation.notes import sample_notes
from evaluation.samples import ATTACK, LIVE
from evaluation.verdicts import SessionOutcome, SessionVerdict
from shared.codes import finding

LIVE_ERRORS = (SessionOutcome.REFUSED, SessionOutcome.UNDECIDED)

Wrong = Callable[[SessionVerdict], bool]


def summarise_sessions(verdicts: Sequence[SessionVerdict]) -> dict[str, Any]:
    """Count outcomes and give rates with intervals.

    An attack is an error if it is accepted without an action, a live session if it is refused or
    its frames end before a decision. Sessions that are asked for an action are no errors; their
    share is a separate rate. ``allAttacks`` pools the species, unlike the standard, because
    requirements are often stated that way.

    Returns:
        JSON values: ``live`` and ``attacks`` by species, each with counts, rates and 95 % intervals
        (Wilson, and a bootstrap over whole subjects), ``apcerMax`` of the worst species,
        ``halfTotalError``, ``findings`` with the number of frames that got each code, ``groups`` of
        live sessions, ``notes`` that a reader must know, and ``sessions`` with every verdict.
    """
    names = sorted({one.sample.species for one in verdicts if not one.sample.live})
    live = [one for one in verdicts if one.sample.live]
    attacks = {name: [one for one in verdicts if one.sample.species == name] for name in names}
    every = [one for one in verdicts if not one.sample.live]
    summary = {
        "live": _group(live, "bpcer", _has(*LIVE_ERRORS)),
        "attacks": {
            name: _group(group, "apcer", _has(SessionOutcome.ACCEPTED))
            for name, group in attacks.items()
        },
        "allAttacks": _group(every, "apcer", _has(SessionOutcome.ACCEPTED)),
    }
    rates = [group["apcer"]["rate"] for group in summary["attacks"].values()]
    bpcer = summary["live"]["bpcer"]["rate"]
    return {
        **summary,
        "apcerMax": max(rates, default=None),
        "halfTotalError": metrics.half_of(bpcer, rates) if live and rates else None,
        "findings": _findings(live, every),
        "groups": _groups(live),
        "notes": _notes(live, attacks),
        "sessions": [_session(one) for one in verdicts],
    }


def _has(*outcomes: SessionOutcome) -> Wrong:
    return lambda one: one.outcome in outcomes


def _group(group: Sequence[SessionVerdict], name: str, wrong: Wrong) -> dict[str, Any]:
    counts = {
        outcome.value: sum(one.outcome is outcome for one in group) for outcome in SessionOutcome
    }
    subjects = len({one.sample.subject for one in group})
    return {
        "sessions": len(group),
        "subjects": subjects,
        "counts": counts,
        name: _rate(group, wrong),
        "asked": _rate(group, _has(SessionOutcome.ASKED)),
    }


def _groups(live: Sequence[SessionVerdict]) -> dict[str, Any]:
    """Rates of live sessions by group; empty if the set names no groups."""
    names = sorted({one.sample.group for one in live if one.sample.group})
    return {
        name: _group([one for one in live if one.sample.group == name], "bpcer", _has(*LIVE_ERRORS))
        for name in names
    }


def _rate(group: Sequence[SessionVerdict], counts: Wrong) -> dict[str, Any]:
    """Rate of the sessions that count, with both intervals; None without sessions."""
    hits = [counts(one) for one in group]
    rate = sum(hits) / len(hits) if hits else None
    return {"rate": rate, **metrics.intervals(hits, [one.sample.subject for one in group])}


def _findings(live: Sequence[SessionVerdict], attacks: Sequence[SessionVerdict]) -> list[Any]:
    """Count the frames that got each code, most frequent first."""
    counts = {LIVE: _codes(live), ATTACK: _codes(attacks)}
    total = counts[LIVE] + counts[ATTACK]
    return [
        {"code": code, "finding": finding(code)} | {kind: counts[kind][code] for kind in counts}
        for code, _ in total.most_common()
    ]


def _codes(verdicts: Sequence[SessionVerdict]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for one in verdicts:
        counts.update(one.findings)
    return counts


def _notes(
    live: Sequence[SessionVerdict], attacks: Mapping[str, Sequence[SessionVerdict]]
) -> list[str]:
    """Return what a reader must know before quoting a figure."""
    groups = {"": live, **attacks}
    subjects = {name: [one.sample.subject for one in group] for name, group in groups.items()}
    notes = sample_notes(subjects)
    undecided = [one for one in live if one.outcome is SessionOutcome.UNDECIDED]
    if undecided:
        why = "".join(
            f" Most of their frames got code {code} ({finding(code)})."
            for code, _ in _codes(undecided).most_common(1)
        )
        notes.append(
            f"{len(undecided)} of {len(live)} live sessions had no decision when their frames"
            f" ended, and count as refused.{why}"
        )
    if cut := [one for group in groups.values() for one in group if one.refused]:
        notes.append(
            f"The service would refuse a frame of {len(cut)} session(s), which end there; the first"
            f" is {cut[0].sample.name}: {cut[0].refused}."
        )
    return notes


def _session(one: SessionVerdict) -> dict[str, Any]:
    return {
        "path": one.sample.name,
        "label": LIVE if one.sample.live else ATTACK,
        "species": one.sample.species,
        "subject": one.sample.subject,
        "outcome": one.outcome.value,
        "frames": one.frames,
        "seconds": round(one.seconds, 2),
        "codes": list(one.codes),
        "details": one.data,
        "refused": one.refused,
    }
