"""Counts and latencies of a crowd, per second, added up over client processes.

Latency is measured from the time at which a frame was due, not from when it was sent, so a client
or service that stalls cannot hide the delayed frames (no coordinated omission). A frame that was
not judged has no latency. In ``percentile`` it counts as later than all others, unless it arrived
after the session's verdict or was in flight when the person broke the connection. Every sent frame
is counted as judged or dropped.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from shared.wire.protocol import Drop

MICROSECOND = 1e-6
MAX_MICROSECONDS = 120_000_000
DIGITS = 2

LOST = "lost"
"""Unanswered when the service broke the connection or the session failed."""
UNJUDGED = "not judged"
"""Answered with code 2: no worker could judge it."""
CUT = "cut"
"""In flight when the person broke the connection."""
NOT_SERVICE = (Drop.ENDED, CUT)
"""Reasons that the service did not cause."""


COUNTERS = ("counts", "dropped", "failed", "codes")
HISTOGRAMS = ("latency", "lateness", "connecting")


def new_histogram() -> Any:  # the package has no type hints
    """Create a histogram of microseconds up to two minutes."""
    return HdrHistogram(1, MAX_MICROSECONDS, DIGITS)


def record(histogram: Any, seconds: float) -> None:
    """Record one duration."""
    histogram.record_value(min(MAX_MICROSECONDS, max(1, int(seconds / MICROSECOND))))


@dataclass
class CrowdTally:
    """Counts of one period.

    Attributes:
        counts: ``sent``, ``judged``, ``accepted``, ``refused``, ``left``, ``begun``, ``resumed``.
        dropped: frames that were not judged, by reason.
        failed: sessions that ended without a verdict, by reason.
        latency: from due to STATUS.
        lateness: from due to sent; large values mean that the client machine is too slow.
        connecting: from the first attempt to connect or resume to CONNECTED.
        kiosks: people present at the end of the period.
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
        """Convert the tally to JSON values."""
        return {
            "kiosks": self.kiosks,
            **{name: dict(getattr(self, name)) for name in COUNTERS},
            **{name: getattr(self, name).encode().decode("ascii") for name in HISTOGRAMS},
        }

    def add(self, packed: dict[str, Any]) -> None:
        """Add another packed tally, also one that was JSON, which has only texts as keys."""
        self.kiosks += packed["kiosks"]
        self.counts.update(packed["counts"])
        self.dropped.update(packed["dropped"])
        self.failed.update(packed["failed"])
        self.codes.update({int(code): count for code, count in packed["codes"].items()})
        for name in HISTOGRAMS:
            getattr(self, name).decode_and_add(packed[name])

    def percentile(self, share: float) -> float | None:
        """Seconds within which a share (0..1) of the frames was judged.

        Returns:
            None if there were no frames; infinity if fewer than this share were judged at all.
        """
        judged = self.latency.get_total_count()
        every = judged + self.dropped.total() - sum(self.dropped[reason] for reason in NOT_SERVICE)
        if not every:
            return None
        if not judged or share * every > judged:
            return float("inf")
        among_judged = 100 * share * every / judged
        return float(self.latency.get_value_at_percentile(min(100.0, among_judged))) * MICROSECOND


def percentile(histogram: Any, share: float) -> float:
    """Seconds below which a share of a histogram lies; 0 if it is empty."""
    if not histogram.get_total_count():
        return 0.0
    return float(histogram.get_value_at_percentile(100 * share)) * MICROSECOND
