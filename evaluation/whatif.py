"""Effect of another threshold on logged sessions.

A worker stops at the first failed stage. So if a more lenient threshold lets a frame pass, its
later measures do not exist and it is only counted as *further*. The effect of a stricter threshold
is known exactly. Frames are judged again with ``shared.frame.checks``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from evaluation import metrics
from evaluation.calibration import settable
from evaluation.samples import ATTACK, LIVE
from evaluation.sessions import Logged
from evaluation.thresholds import THRESHOLDS, Threshold
from shared.frame.checks import Rules, judge, live_score
from shared.frame.estimation import Estimate, Stage

PASS_SHARE = 0.95
"""Share of the frames of accepted sessions that pass a suggested threshold."""
MIN_REFUSED_SHARE = 0.05
"""A change is suggested only if a threshold refuses more than this share of such frames."""
MIN_SESSIONS = 10
"""Accepted sessions needed for a suggestion."""
APCER_BOUND = 0.05


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One value of a threshold.

    Attributes:
        refused: measured frames below (or above) it.
        further: frames refused now by this threshold alone, which would reach the later checks.
        lost: frames that passed every check and would be refused.
        sessions_helped: sessions not accepted that have at least one such further frame; how many
            of them would have been accepted is not known.
        sessions_lost: sessions with a passing frame now and none with this value.
    """

    value: float
    refused: int
    further: int
    lost: int
    sessions_helped: int
    sessions_lost: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggested value, the evidence for it, and its effect on the other error."""

    key: str
    now: float
    value: float
    reason: str
    cost: str


@dataclass(frozen=True, slots=True)
class Study:
    """The measured values of one threshold, and what-if for its range and the configured value."""

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
        refused += sum(not threshold.passes(one, value) for one in _values([session], threshold))
        judged = [
            (one.ok, _failed(one, rules) is None, _failed(one, changed) is None)
            for one in (frame.estimate for frame in session.frames)
        ]
        gained = sum(after and not before for _, before, after in judged)
        # A frame that stricter rules stopped when it was logged has no later measures, so
        # whether it would pass is not known.
        passed = [(before, after) for ok, before, after in judged if ok]
        further += gained
        lost += sum(before and not after for before, after in passed)
        if gained and not session.accepted:
            helped += 1
        if any(before for before, _ in passed) and not any(after for _, after in passed):
            dropped += 1
    return WhatIf(value, refused, further, lost, helped, dropped)


def _failed(estimate: Estimate, rules: Rules) -> Stage | None:
    """First failed stage among those that ran; None if all passed."""
    stages = (stage for stage in Stage if stage <= estimate.stage)
    return next((stage for stage in stages if judge(stage, estimate, rules)), None)


def _values(sessions: Sequence[Logged], threshold: Threshold) -> list[float]:
    values = (threshold.measure(one.estimate) for session in sessions for one in session.frames)
    return [value for value in values if value is not None]


def suggest(sessions: Sequence[Logged], rules: Rules) -> list[Suggestion]:
    """Suggest values, each with its cost.

    Unlabelled accepted sessions are assumed to be real people: a threshold that refused many frames
    of such sessions is too strict for the location. With labelled attacks and live sessions, the
    liveness threshold is chosen by the bound on APCER.
    """
    good = [one for one in sessions if one.accepted and one.label != ATTACK]
    found = []
    if len(good) >= MIN_SESSIONS:
        candidates = (_relaxed(good, sessions, one, rules) for one in THRESHOLDS)
        found = [suggestion for suggestion in candidates if suggestion]
    liveness = _by_labels(sessions, rules)
    return found + ([liveness] if liveness else [])


def _relaxed(
    good: Sequence[Logged], sessions: Sequence[Logged], threshold: Threshold, rules: Rules
) -> Suggestion | None:
    """Relax a threshold that is not on liveness until most good frames pass."""
    if threshold.stage is Stage.LIVENESS:
        return None
    values = np.array(_values(good, threshold))
    now = threshold.current(rules)
    if not values.size:
        return None
    refused = sum(not threshold.passes(value, now) for value in values.tolist()) / values.size
    if refused <= MIN_REFUSED_SHARE:
        return None
    tail = 1 - PASS_SHARE if threshold.least else PASS_SHARE
    value = max(0.0, _rounded(threshold, float(np.quantile(values, tail))))
    if value == now:
        return None
    then = what_if(sessions, threshold, value, rules)
    return Suggestion(
        threshold.key,
        now,
        value,
        f"refused {refused:.0%} of the frames of {len(good)} accepted sessions",
        f"{then.further} more frames reach the later checks,"
        f" also in {then.sessions_helped} sessions that were not accepted",
    )


def _rounded(threshold: Threshold, value: float) -> float:
    """Round to the lenient side, to whole pixels and degrees, else to hundredths."""
    grain = 1.0 if threshold.whole or threshold.stage is Stage.HEAD_POSE else 0.01
    steps = floor(value / grain + 1e-9) if threshold.least else ceil(value / grain - 1e-9)
    return round(steps * grain, 2)


def _by_labels(sessions: Sequence[Logged], rules: Rules) -> Suggestion | None:
    """Suggest the liveness threshold at which every species' APCER is within the bound."""
    live, species = _liveness_scores(sessions, rules)
    attacks = {name: scores for name, scores in species.items() if scores.size}
    if not (live.size and attacks):
        return None
    now = rules.thresholds.livenessScore
    point = metrics.at_apcer(attacks, live, APCER_BOUND)
    value = settable(point.threshold)
    if value is None or value == now:
        return None
    few = "" if point.supported else "; too few attacks for this bound"
    return Suggestion(
        "livenessScore",
        now,
        value,
        f"APCER of the worst species {metrics.worst_apcer(attacks, now):.1%} now,"
        f" {metrics.worst_apcer(attacks, value):.1%} with it{few}",
        f"BPCER {metrics.bpcer(live, now):.1%} now, {metrics.bpcer(live, value):.1%} with it",
    )


def _liveness_scores(
    sessions: Sequence[Logged], rules: Rules
) -> tuple[metrics.Scores, dict[str, metrics.Scores]]:
    """Best liveness score of each labelled session that has one: of live ones, and by species."""
    live: list[float] = []
    attacks: dict[str, list[float]] = {}
    for session in sessions:
        measured = [one.estimate.liveness for one in session.frames]
        scores = [live_score(one, rules) for one in measured if one is not None]
        if scores and session.label == LIVE:
            live.append(max(scores))
        elif scores and session.label == ATTACK:
            attacks.setdefault(session.species, []).append(max(scores))
    return np.array(live), {name: np.array(scores) for name, scores in attacks.items()}
