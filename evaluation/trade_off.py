"""Compares settings of AggregateLiveness and ``livenessRefusals`` on simulated sessions.

The aggregator's own code judges every session with every setting. The other plugins are off: what
they need, such as the motion of a session, cannot be drawn from frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from math import inf
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from aggregator.plugins.registry import Registry
from evaluation import metrics
from evaluation.judging import Measured
from evaluation.paired import Pair, RateChange, change_rounds, changes, half_total_change
from evaluation.verdicts import SessionOutcome, SessionVerdict, judge_session
from shared.config.middlewares import WsMiddlewares
from shared.config.service import Config
from shared.report import percent

FRAME_COUNTS = (3, 5, 10)
REFUSALS = (5, 10, 15, 30)

Verdicts = Sequence[SessionVerdict]
Row = dict[str, Any]


class Setting(NamedTuple):
    """A rule over frames, and a limit.

    Attributes:
        frames: number of frames whose mean decides; with 1 the first passing frame does.
        early: whether frames that agree decide earlier.
        refusals: maximum frames refused for low liveness; 0 means no limit.
    """

    frames: int
    early: bool
    refusals: int

    @classmethod
    def of(cls, config: Config) -> Setting:
        """Read the setting of a configuration."""
        plugin, limit = config.MIDDLEWARES.WS.AggregateLiveness, config.LIMITS.livenessRefusals
        if not plugin.isEnabled:
            return cls(1, False, limit)
        return cls(plugin.args.framesCount, plugin.args.earlyDecision, limit)

    def applied(self, config: Config) -> Config:
        """Return a configuration with this setting and no other plugin."""
        own = config.MIDDLEWARES.WS.AggregateLiveness
        args = {"framesCount": self.frames, "earlyDecision": self.early}
        as_configured = own.isEnabled and self == Setting.of(config)
        on = {
            "isEnabled": as_configured or self.frames > 1 or self.early,
            "args": own.args.model_copy(update=args),
        }
        plugins = WsMiddlewares(AggregateLiveness=own.model_copy(update=on))
        middlewares = config.MIDDLEWARES.model_copy(update={"WS": plugins})
        limits = config.LIMITS.model_copy(update={"livenessRefusals": self.refusals})
        return config.model_copy(update={"MIDDLEWARES": middlewares, "LIMITS": limits})

    @property
    def rule(self) -> str:
        """The rule over frames in words."""
        rule = "first passing frame" if self.frames == 1 else f"mean of {self.frames}"
        return f"{rule}, early decision" if self.early else rule

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"{self.refusals} refusals" if self.refusals else "no limit"


def grid(frames: int, now: Setting) -> list[Setting]:
    """Return the settings to compare on sessions of ``frames`` frames, and the configured one.

    Limits and numbers of frames that such a session cannot reach are left out.
    """
    counts = [count for count in FRAME_COUNTS if count <= frames]
    rules = [(1, False), *product(counts, (False, True))]
    limits = [*(limit for limit in REFUSALS if limit < frames), 0]
    settings = {now, *(Setting(*rule, limit) for rule, limit in product(rules, limits))}
    return sorted(settings, key=lambda one: (one.frames, one.early, one.refusals or inf))


def judge_setting(
    sessions: Iterable[Measured], setting: Setting, config: Config, fps: float
) -> list[SessionVerdict]:
    """Judge sessions with a setting; their frames come at ``fps`` frames per second."""
    applied = setting.applied(config)
    registry = Registry(applied)
    return [
        judge_session(one, [at / fps for at in range(len(one.frames))], registry, applied)
        for one in sessions
    ]


def summarise_trade_off(judged: Mapping[Setting, Verdicts], now: Setting) -> dict[str, Any]:
    """Give the errors of each setting, and compare the best one with the configured one.

    An attack is an error if it is accepted, a live session if it is refused or undecided. Intervals
    resample whole subjects, because the sessions of one subject are not independent. All settings
    judge the same sessions, so the intervals of changes are paired.

    Args:
        judged: the same sessions judged with each setting; some are live, some are attacks.
        now: the configured setting.

    Returns:
        JSON values: ``settings`` with their errors, where ``front`` marks those that no other one
        beats, which would lower ``bpcer`` or ``apcerMean`` (the mean of the species) without
        raising the other. ``changes`` by species and ``halfTotalChange`` lead from the configured
        setting to that of the lowest half total error, ``answer`` says the same in words.
    """
    rows = {setting: _row(setting, verdicts) for setting, verdicts in judged.items()}
    for setting, row in rows.items():
        row["now"] = setting == now
        row["front"] = not any(_beats(other, row) for other in rows.values())
    best = min(rows, key=lambda one: (rows[one]["halfTotalError"], one != now))
    pairs = [
        Pair(before.sample.species, before.sample.subject, _is_wrong(before), _is_wrong(after))
        for before, after in zip(judged[now], judged[best], strict=True)
    ]
    half = half_total_change(pairs)
    assert half is not None  # there are both live sessions and attacks
    return {
        "settings": list(rows.values()),
        "changes": {name: asdict(change) for name, change in changes(pairs).items()},
        "halfTotalChange": asdict(half),
        "answer": _answer(rows[now], rows[best], half),
    }


def _row(setting: Setting, verdicts: Verdicts) -> Row:
    live = [one for one in verdicts if one.sample.live]
    attacks = [one for one in verdicts if not one.sample.live]
    apcer = {
        name: _rate([one for one in attacks if one.sample.species == name])
        for name in sorted({one.sample.species for one in attacks})
    }
    rates = [rate["rate"] for rate in apcer.values()]
    frames = [one.frames for one in live if not _is_wrong(one)]
    bpcer = _rate(live)
    return {
        "rule": setting.rule,
        "limit": setting.limit,
        "framesCount": setting.frames,
        "earlyDecision": setting.early,
        "livenessRefusals": setting.refusals,
        "bpcer": bpcer,
        "apcer": apcer,
        "apcerMax": {"rate": max(rates), "bySubject": _worst_interval(attacks)},
        "apcerMean": sum(rates) / len(rates),
        "allAttacks": _rate(attacks),
        "halfTotalError": metrics.half_of(bpcer["rate"], rates),
        "liveFrames": median(frames) if frames else None,
    }


def _is_wrong(one: SessionVerdict) -> bool:
    return (one.outcome is SessionOutcome.ACCEPTED) != one.sample.live


def _rate(verdicts: Verdicts) -> Row:
    wrong = [_is_wrong(one) for one in verdicts]
    subjects = [one.sample.subject for one in verdicts]
    return {
        "rate": sum(wrong) / len(wrong),
        "errors": sum(wrong),
        "of": len(wrong),
        "bySubject": metrics.by_subject(wrong, subjects),
    }


def _worst_interval(attacks: Verdicts) -> metrics.Interval | None:
    """Bootstrap the rate of the worst species; the worst one may differ between resamples."""
    pairs = [
        Pair(one.sample.species, one.sample.subject, before=False, after=_is_wrong(one))
        for one in attacks
    ]
    if min(len({one.subject for one in pairs}), len({one.after for one in pairs})) < 2:
        return None
    return metrics.quantiles(np.nanmax(np.stack([*change_rounds(pairs).values()]), axis=0))


def _beats(one: Row, other: Row) -> bool:
    """Return whether a setting has one error lower and the other one no higher."""
    mine, theirs = ((row["apcerMean"], row["bpcer"]["rate"]) for row in (one, other))
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def _answer(now: Row, best: Row, half: RateChange) -> str:
    """Say whether the configured setting is on the front, and compare it with the best one."""

    def named(row: Row) -> str:
        return f"{row['rule']}, {row['limit']}"

    def errors(row: Row) -> str:
        mean, worst = percent(row["apcerMean"]), percent(row["apcerMax"]["rate"])
        live = percent(row["bpcer"]["rate"])
        return f"{mean} of the attacks (worst species {worst}), and refuses {live} of live sessions"

    if now is best:
        return (
            f"The configured setting ({named(now)}) has the lowest half total error: it accepts"
            f" {errors(now)}."
        )
    change = f"{100 * (half.after - half.before):+.1f} points"
    if half.interval is None:
        change += f"; there is no interval, because {half.reason}"
    else:
        change += ", 95 % " + " to ".join(f"{100 * end:+.1f}" for end in half.interval)
    return (
        f"The configured setting ({named(now)}) is {'' if now['front'] else 'not '}on the front: it"
        f" accepts {errors(now)}. The setting with the lowest half total error ({named(best)})"
        f" accepts {errors(best)} (half total error {change})."
    )
