"""What another threshold would have done to logged sessions.

A worker stops at the first stage that fails, so a frame that a lenient threshold would have let
through has no later measures: it comes *further*, no more is known. A stricter threshold is known
in full. Everything else is judged again with ``shared.frame.checks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from evaluation import metrics
from evaluation.samples import ATTACK, LIVE
from evaluation.sessions import Logged
from evaluation.thresholds import THRESHOLDS, Threshold
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Estimate, Stage

KEPT = 0.95
"""Share of the frames of successful sessions that a suggested threshold lets through."""
WORTH = 0.05
"""Share of such frames that a threshold has to refuse before a change is suggested."""
FEWEST = 10
"""Such sessions needed for a suggestion."""
APCER_BOUND = 0.05


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One value of a threshold.

    Attributes:
        value: the threshold.
        refused: measured frames below (or above) it.
        further: frames refused now by this threshold alone that would come to later checks.
        lost: frames that passed every check and would be refused.
        sessions_helped: sessions without success with at least one frame that comes further; how
            many of them would have succeeded is not known.
        sessions_lost: sessions with a passing frame now and with none then.
    """

    value: float
    refused: int
    further: int
    lost: int
    sessions_helped: int
    sessions_lost: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A value to try.

    Attributes:
        key: the threshold.
        now: configured value.
        value: suggested one.
        reason: evidence.
        cost: what it costs in the other error.
    """

    key: str
    now: float
    value: float
    reason: str
    cost: str


@dataclass(frozen=True, slots=True)
class Study:
    """What is known of one threshold.

    Attributes:
        threshold: which.
        now: configured value.
        measured: frames with a value.
        values: all of them.
        rows: what-if over the threshold's range and the configured value, in order.
    """

    threshold: Threshold
    now: float
    measured: int
    values: tuple[float, ...]
    rows: tuple[WhatIf, ...]


def study(sessions: Sequence[Logged], rules: Rules) -> list[Study]:
    """Study every threshold that has measured frames."""
    found = []
    for threshold in THRESHOLDS:
        values = _values(sessions, threshold)
        if values:
            now = threshold.current(rules)
            steps = sorted({*threshold.range, now}, reverse=not threshold.least)
            rows = tuple(what_if(sessions, threshold, step, rules) for step in steps)
            found.append(Study(threshold, now, len(values), tuple(values), rows))
    return found


def what_if(sessions: Sequence[Logged], threshold: Threshold, value: float, rules: Rules) -> WhatIf:
    """Judge all frames with another value of one threshold."""
    changed = threshold.changed(rules, value)
    refused = further = lost = helped = dropped = 0
    for session in sessions:
        estimates = [frame.estimate for frame in session.frames]
        helps = False
        passed_before = passes_after = False
        for estimate in estimates:
            measured = threshold.measure(estimate)
            refused += measured is not None and not threshold.passes(measured, value)
            before, after = _failed(estimate, rules), _failed(estimate, changed)
            comes_further = before is not None and after is None
            further += comes_further
            helps = helps or comes_further
            passed_before = passed_before or before is None
            passes_after = passes_after or after is None
            lost += before is None and after is not None
        helped += helps and not session.accepted
        dropped += passed_before and not passes_after
    return WhatIf(value, refused, further, lost, helped, dropped)


def _failed(estimate: Estimate, rules: Rules) -> Stage | None:
    """First stage that fails among those that ran; None when none does."""
    stages = (stage for stage in Stage if stage <= estimate.stage)
    return next((stage for stage in stages if judge(stage, estimate, rules)), None)


def _values(sessions: Sequence[Logged], threshold: Threshold) -> list[float]:
    values = (threshold.measure(one.estimate) for session in sessions for one in session.frames)
    return [value for value in values if value is not None]


def suggest(sessions: Sequence[Logged], rules: Rules) -> list[Suggestion]:
    """Suggest values, each with its cost.

    Without labels a session that succeeded stands for a real person: a threshold that refused many
    of such sessions' frames on the way is too strict for the place. With labels of attacks and
    live people, liveness is set by the bound on APCER.
    """
    good = [one for one in sessions if one.accepted and one.label != ATTACK]
    found = []
    if len(good) >= FEWEST:
        candidates = (_relaxed(good, sessions, one, rules) for one in THRESHOLDS)
        found = [suggestion for suggestion in candidates if suggestion]
    liveness = _by_labels(sessions, rules)
    return found + ([liveness] if liveness else [])


def _relaxed(
    good: Sequence[Logged], sessions: Sequence[Logged], threshold: Threshold, rules: Rules
) -> Suggestion | None:
    """Loosen a threshold on quality or position until it lets most good frames through."""
    if threshold.stage is Stage.LIVENESS:
        return None
    values = np.array(_values(good, threshold))
    now = threshold.current(rules)
    if not values.size:
        return None
    refused = sum(not threshold.passes(value, now) for value in values.tolist()) / values.size
    if refused <= WORTH:
        return None
    value = max(0.0, _rounded(threshold, float(np.quantile(values, _tail(threshold)))))
    if value == now:
        return None
    then = what_if(sessions, threshold, value, rules)
    return Suggestion(
        threshold.key,
        now,
        value,
        f"refused {refused:.0%} of the frames of {len(good)} sessions that succeeded",
        f"{then.further} more frames come to the later checks,"
        f" also in {then.sessions_helped} sessions without success",
    )


def _tail(threshold: Threshold) -> float:
    return 1 - KEPT if threshold.least else KEPT


def _rounded(threshold: Threshold, value: float) -> float:
    """Round to the lenient side: whole pixels and degrees, hundredths otherwise."""
    grain = 1.0 if threshold.whole or threshold.stage is Stage.HEAD_POSE else 0.01
    steps = floor(value / grain + 1e-9) if threshold.least else ceil(value / grain - 1e-9)
    return round(steps * grain, 2)


def _by_labels(sessions: Sequence[Logged], rules: Rules) -> Suggestion | None:
    """Set the liveness threshold where every species of attack keeps the bound."""
    live, species = liveness_scores(sessions)
    attacks = {name: scores for name, scores in species.items() if scores.size}
    if not (live.size and attacks):
        return None
    now = rules.thresholds.livenessScore
    point = metrics.at_apcer(attacks, live, APCER_BOUND)
    value = min(1.0, max(0.0, ceil(point.threshold * 1000) / 1000))
    if value == now:
        return None
    few = "" if point.supported else "; too few attacks for that bound to mean much"
    return Suggestion(
        "livenessScore",
        now,
        value,
        f"APCER of the worst species {metrics.worst_apcer(attacks, now):.1%} now,"
        f" {metrics.worst_apcer(attacks, value):.1%} then{few}",
        f"BPCER {metrics.bpcer(live, now):.1%} now, {metrics.bpcer(live, value):.1%} then",
    )


def liveness_scores(sessions: Sequence[Logged]) -> tuple[metrics.Scores, dict[str, metrics.Scores]]:
    """Best liveness score of each labelled session that reached it: live, and by species."""
    live: list[float] = []
    attacks: dict[str, list[float]] = {}
    for session in sessions:
        scores = [one.estimate.liveness.score for one in session.frames if one.estimate.liveness]
        if scores and session.label == LIVE:
            live.append(max(scores))
        elif scores and session.label == ATTACK:
            attacks.setdefault(session.species, []).append(max(scores))
    return np.array(live), {name: np.array(scores) for name, scores in attacks.items()}
