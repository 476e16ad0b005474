"""The result of a training as plain data, and a plain recommendation."""

from dataclasses import dataclass
from typing import Any

import msgspec

from evaluation.adapt.checking import Comparison
from evaluation.adapt.observing import Gathered
from evaluation.adapt.training import Trained, head_errors
from inference_pool.onnx.site_head import FORMAT, HeadErrors, HeadOrigin, SiteHeadFile
from shared.report import percent

MAX_LIVE_RISE = 0.02
"""By how much a head may raise the error of live frames and still be recommended."""

Row = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Everything that a run found; there is no comparison without a labelled set."""

    gathered: Gathered
    trained: Trained
    file: SiteHeadFile
    comparison: Comparison | None = None

    @property
    def may_be_written(self) -> bool:
        """Whether no labelled set shows that the head is useless."""
        return self.comparison is None or self.comparison.helps

    @property
    def is_recommended(self) -> bool:
        """Whether the figures speak for the head."""
        if self.comparison is not None:
            return self.comparison.helps
        before, after = self.file.origin.before, self.file.origin.after
        return after.half_total < before.half_total and after.live <= before.live + MAX_LIVE_RISE

    @property
    def advice(self) -> str:
        """What to do with the head, in one or two sentences."""
        if self.comparison is not None:
            return _advice_checked(self.comparison)
        before, after = self.file.origin.before, self.file.origin.after
        if self.is_recommended:
            halves = f"from {percent(before.half_total)} to {percent(after.half_total)}"
            return (
                f"The head lowers the half total error on simulated recaptures {halves}. Real"
                " attacks may differ: record some and repeat this with --check before you use it."
            )
        if after.half_total >= before.half_total:
            change = _change(before.half_total, after.half_total)
            return f"Do not use this head: its half total error on recaptures {change}."
        return (
            f"Do not use this head: it would refuse {percent(after.live)} of live frames instead"
            f" of {percent(before.live)}. Give frames of more people."
        )

    def rows(self) -> list[Row]:
        """Errors on frames and recaptures, without and with a head, by cross-validation."""
        return _rows(self.file.origin.before, self.file.origin.after)

    def checked_rows(self) -> list[Row]:
        """Errors on the labelled set, without and with the head."""
        return _rows(self.comparison.before, self.comparison.after) if self.comparison else []

    def data(self) -> dict[str, Any]:
        """Return JSON values."""
        found: dict[str, Any] = {
            "advice": self.advice,
            "digest": self.file.digest,
            "origin": msgspec.to_builtins(self.file.origin),
            "frames": dict(self.gathered.frames),
            "unused": dict(self.gathered.unused),
        }
        if (one := self.comparison) is not None:
            found["check"] = {
                "presentations": len(one.presentations),
                "people": len({shown.subject for shown in one.presentations}),
                "before": msgspec.to_builtins(one.before),
                "after": msgspec.to_builtins(one.after),
                "change": one.change,
                "interval": one.interval,
                "reason": one.reason,
                "helps": one.helps,
            }
        return found


def head_file(
    gathered: Gathered, trained: Trained, models: dict[str, str], seed: int
) -> SiteHeadFile:
    """Return the content of a head's file.

    ``models`` has the SHA-256 of each liveness network by role, in the order in which they judge.
    """
    origin = HeadOrigin(
        data=gathered.digest,
        people=len(gathered.frames),
        frames=gathered.frames.total(),
        recaptures=gathered.recaptures,
        seed=seed,
        before=head_errors(gathered.observations, trained.before),
        after=head_errors(gathered.observations, trained.after),
    )
    head = trained.head
    return SiteHeadFile(
        format=FORMAT,
        models=models,
        means=head.means.tolist(),
        deviations=head.deviations.tolist(),
        weights=head.weights.tolist(),
        intercept=head.intercept,
        origin=origin,
    )


def _rows(before: HeadErrors, after: HeadErrors) -> list[Row]:
    attacks = [
        (f"attacks accepted: {name}", before.attacks[name], after.attacks[name])
        for name in before.attacks
    ]
    return [
        ("live refused", before.live, after.live),
        *attacks,
        ("half total error", before.half_total, after.half_total),
    ]


def _change(before: float, after: float) -> str:
    """Describe a change of an error as it is printed, rounded."""
    if percent(before) == percent(after):
        return f"stays at {percent(after)}"
    return f"{'rises' if after > before else 'falls'} from {percent(before)} to {percent(after)}"


def _advice_checked(one: Comparison) -> str:
    change = f"the half total error {_change(one.before.half_total, one.after.half_total)}"
    if one.interval is None:
        change += f"; there is no interval, because {one.reason}"
    else:
        low, high = one.interval
        change += f" (change {100 * low:+.1f} to {100 * high:+.1f} points with 95 % confidence)"
    if one.helps:
        return f"Use this head: on the labelled set {change}."
    return f"Do not use this head: on the labelled set {change}. No file was written."
