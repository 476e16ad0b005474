"""Error rates of whole sessions: accepted, asked for an action, refused, by species."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evaluation import metrics
from evaluation.verdicts import SessionOutcome, SessionVerdict

LIVE = "live"
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
        "live": _group(live, "bpcer", lambda one: one.outcome in LIVE_ERRORS),
        "attacks": {name: _group(group, "apcer", _is_accepted) for name, group in attacks.items()},
        "allAttacks": _group(every, "apcer", _is_accepted),
        "sessions": [_session(one) for one in verdicts],
    }


def _is_accepted(one: SessionVerdict) -> bool:
    return one.outcome is SessionOutcome.ACCEPTED


def _is_asked(one: SessionVerdict) -> bool:
    return one.outcome is SessionOutcome.ASKED


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
        "asked": _rate(group, _is_asked),
    }


def _rate(group: Sequence[SessionVerdict], counts: Wrong) -> dict[str, Any]:
    """Rate of the sessions that count, with both intervals; None without sessions."""
    hits = [counts(one) for one in group]
    subjects = [one.sample.subject for one in group]
    return {
        "rate": sum(hits) / len(hits) if hits else None,
        "errors": sum(hits),
        "of": len(hits),
        "wilson": metrics.wilson(sum(hits), len(hits)),
        "bySubject": metrics.by_subject(hits, subjects) if hits else None,
    }


def _session(one: SessionVerdict) -> dict[str, Any]:
    return {
        "path": one.sample.name,
        "label": LIVE if one.sample.live else "attack",
        "species": one.sample.species,
        "subject": one.sample.subject,
        "outcome": one.outcome.value,
        "frames": one.frames,
        "seconds": round(one.seconds, 2),
        "codes": list(one.codes),
        "details": one.data,
        "refused": one.refused,
    }
