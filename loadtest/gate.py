"""Limits of the latency that make a load run fail: ``p95=200ms``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loadtest.tally import CrowdTally

_FORM = re.compile(r"p(50|90|95|99)=(\d{1,6}(?:\.\d{1,3})?)(ms|s)")


@dataclass(frozen=True)
class Gate:
    """A limit: a share (0..1) of the frames must be answered within a time."""

    text: str
    share: float
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Parse a limit.

        Raises:
            ValueError: it has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"found {text!r}; allowed is p50, p90, p95 or p99 as in p95=200ms")
        unit = 1.0 if found[3] == "s" else 0.001
        return cls(text, int(found[1]) / 100, float(found[2]) * unit)

    def failure(self, tally: CrowdTally) -> str | None:
        """Return how a run fails; None if it keeps the limit.

        A run without any judged frame fails, and so does one with too many frames not judged.
        """
        measured = tally.percentile(self.share)
        if measured is not None and measured <= self.seconds:
            return None
        name, _, limit = self.text.partition("=")
        if measured is None:
            return f"{name} is unknown, because no frame was sent; the limit is {limit}"
        if measured > 1e9:
            return f"{name} is above {limit}, because too many frames were not judged"
        return f"{name} is {1000 * measured:.0f} ms, above {limit}"
