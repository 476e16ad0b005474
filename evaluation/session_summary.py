"""Error rates of whole sessions: accepted, asked for an action, refused, by species."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evaluation import metrics
from evaluation.samples import ATTACK, LIVE
from evaluation.verdicts import SessionOutcome, SessionVerdict

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
        (Wilson, and a bootstrap over whole subjects), and ``sessions`` with every verdict.
    """
    names = sorted({one.sample.species for one in verdicts if not one.sample.live})
    live = [one for one in verdicts if one.sample.live]
    attacks = {name: [one for one in verdicts if one.sample.species == name] for name in names}
    every = [one for one in verdicts if not one.sample.live]
    return {
        "live": _group(live, "bpcer", _has(*LIVE_ERRORS)),
        "attacks": {
            name: _group(group, "apcer", _has(SessionOutcome.ACCEPTED))
            for name, group in attacks.items()
        },
        "allAttacks": _group(every, "apcer", _has(SessionOutcome.ACCEPTED)),
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


def _rate(group: Sequence[SessionVerdict], counts: Wrong) -> dict[str, Any]:
    """Rate of the sessions that count, with both intervals; None without sessions."""
    hits = [counts(one) for one in group]
    rate = sum(hits) / len(hits) if hits else None
    return {"rate": rate, **metrics.intervals(hits, [one.sample.subject for one in group])}


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
