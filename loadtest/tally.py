"""What a crowd saw: counts and latencies, second by second, added up over client processes.

Latency runs from the time at which a frame was due, not from when it was really sent: a client or
service that stalls cannot hide the frames it held up (no coordinated omission). A frame that was
not judged has no latency; in ``percentile`` it counts as later than every other, unless it came
after the session's verdict or was on its way when the person broke the line. Every frame that was
sent is judged or dropped in the end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from shared.wire.protocol import Drop

MICROSECOND = 1e-6
LONGEST = 120_000_000
DIGITS = 2

LOST = "lost"
"""Not answered before the service broke the line, or before the person gave up on it."""
UNJUDGED = "not judged"
"""Answered with code 2: no worker could judge it."""
CUT = "cut"
"""On its way when the person broke the line."""
UNCHARGED = (Drop.ENDED, CUT)
"""Reasons for which the service is not to blame."""


def new_histogram() -> Any:  # the package has no type hints
    """Make a histogram of microseconds up to two minutes."""
    return HdrHistogram(1, LONGEST, DIGITS)


def note(histogram: Any, seconds: float) -> None:
    """Add one duration."""
    histogram.record_value(min(LONGEST, max(1, int(seconds / MICROSECOND))))


@dataclass
class CrowdTally:
    """Counts of one stretch of time.

    Attributes:
        counts: ``sent``, ``judged``, ``accepted``, ``refused``, ``left``, ``begun``, ``resumed``.
        dropped: frames that were not judged, by reason.
        failed: sessions that ended without a verdict, by reason.
        codes: judged frames by code.
        latency: from due to STATUS.
        lateness: from due to sent; large values mean that the client machine is too slow.
        connecting: from the wish to connect, first or again, to CONNECTED.
        kiosks: people present at the end of the stretch.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    latency: Any = field(default_factory=new_histogram)
    lateness: Any = field(default_factory=new_histogram)
    connecting: Any = field(default_factory=new_histogram)
    kiosks: int = 0

    def packed(self) -> dict[str, Any]:
        """Give everything as JSON values."""
        return {
            "counts": dict(self.counts),
            "dropped": dict(self.dropped),
            "failed": dict(self.failed),
            "codes": {str(code): count for code, count in self.codes.items()},
            "latency": self.latency.encode().decode("ascii"),
            "lateness": self.lateness.encode().decode("ascii"),
            "connecting": self.connecting.encode().decode("ascii"),
            "kiosks": self.kiosks,
        }

    def add(self, packed: dict[str, Any]) -> None:
        """Add what another tally packed."""
        self.counts.update(packed["counts"])
        self.dropped.update(packed["dropped"])
        self.failed.update(packed["failed"])
        self.codes.update({int(code): count for code, count in packed["codes"].items()})
        self.latency.decode_and_add(packed["latency"])
        self.lateness.decode_and_add(packed["lateness"])
        self.connecting.decode_and_add(packed["connecting"])
        self.kiosks += packed["kiosks"]

    def percentile(self, share: float) -> float | None:
        """Seconds within which a share (0..1) of the frames was judged.

        Returns:
            None when there were no frames; infinity when so many were dropped that no time would
            have been enough.
        """
        judged = self.latency.get_total_count()
        every = judged + self.dropped.total() - sum(self.dropped[reason] for reason in UNCHARGED)
        if not every:
            return None
        if not judged or share * every > judged:
            return float("inf")
        among_judged = 100 * share * every / judged
        return float(self.latency.get_value_at_percentile(min(100.0, among_judged))) * MICROSECOND


def percentile(histogram: Any, share: float) -> float:
    """Seconds below which a share of a histogram lies; 0 when it is empty."""
    if not histogram.get_total_count():
        return 0.0
    return float(histogram.get_value_at_percentile(100 * share)) * MICROSECOND
