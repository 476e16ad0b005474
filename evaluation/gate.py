"""Bounds on error rates, for automatic tests: ``apcer.print=0.1``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import ResourceError
from shared.report import percent

SERVED = "served."
"""Prefix of the rates of the whole service in an evaluation of frames."""


@dataclass(frozen=True, slots=True)
class RateBound:
    """A rate by name, and the largest value that passes, 0..1."""

    rate: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> RateBound:
        """Parse ``RATE=BOUND``.

        Raises:
            ValueError: the text has another form, or the bound is not a share.
        """
        rate, _, bound = text.rpartition("=")
        try:
            value = float(bound)
        except ValueError:
            value = -1.0
        if not rate or not 0 <= value <= 1:
            raise ValueError(f"found {text!r}; expected RATE=BOUND, such as apcer.print=0.1")
        return cls(rate, value)


def exceeded(gates: Sequence[RateBound], rates: Mapping[str, float | None]) -> list[str]:
    """Return a line for each rate above its bound; an unknown value counts as above.

    Raises:
        ResourceError: there is no rate of this name.
    """
    lines = []
    for gate in gates:
        if gate.rate not in rates:
            raise ResourceError(
                f"--fail-above: found no rate {gate.rate!r}; this set has {', '.join(rates)}"
            )
        value = rates[gate.rate]
        if value is None:
            lines.append(f"{gate.rate} is unknown; the limit is {percent(gate.bound)}")
        elif value > gate.bound:
            lines.append(f"{gate.rate} is {percent(value)}; the limit is {percent(gate.bound)}")
    return lines


def named_rates(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the rates of an evaluation by name; of simulated sessions as they are configured."""
    if "sessions" in summary:
        return dict(_of_sessions(summary))
    if "settings" in summary:
        return dict(_of_setting(next(row for row in summary["settings"] if row["now"])))
    served = {f"{SERVED}{name}": rate for name, rate in _of_frames(summary["served"])}
    return {**dict(_of_frames(summary)), **served}


def _of_frames(rates: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    yield "bpcer", rates["bpcer"]
    yield "apcer", rates["apcerMax"]
    yield "acer", rates["acer"]
    yield "halfTotalError", rates["halfTotalError"]
    for species, rate in rates["apcer"].items():
        yield f"apcer.{species}", rate


def _of_sessions(summary: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    yield "bpcer", summary["live"]["bpcer"]["rate"]
    yield "asked", summary["live"]["asked"]["rate"]
    yield "apcer", summary["apcerMax"]
    yield "allAttacks", summary["allAttacks"]["apcer"]["rate"]
    yield "halfTotalError", summary["halfTotalError"]
    for species, group in summary["attacks"].items():
        yield f"apcer.{species}", group["apcer"]["rate"]


def _of_setting(row: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    yield "bpcer", row["bpcer"]["rate"]
    yield "apcer", row["apcerMax"]["rate"]
    yield "allAttacks", row["allAttacks"]["rate"]
    yield "halfTotalError", row["halfTotalError"]
    for species, rate in row["apcer"].items():
        yield f"apcer.{species}", rate["rate"]
