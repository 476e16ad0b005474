"""Durations of a process's steps and its resource use.

The buckets of the histograms grow by an eighth of an octave: a percentile read from them is at most
10 % too high, and an observation costs less than a microsecond. Workers and the aggregator send
theirs to the gateway once a second, and the gateway publishes the metrics of all processes.
"""

import os
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from shared.wire.messages import Account

STEPS_PER_OCTAVE = 8
SHORTEST = 10e-6
OCTAVES = 21
BOUNDS = [SHORTEST * 2 ** (n / STEPS_PER_OCTAVE) for n in range(OCTAVES * STEPS_PER_OCTAVE + 1)]
"""Upper bounds of the buckets in seconds, 10 microseconds to 20 s. A last bucket has no bound."""
SCORE_BOUNDS = [n / 20 for n in range(1, 21)]
"""Upper bounds of the buckets of liveness scores."""
SEND_SECONDS = 1.0
MAX_CODES = 256
"""Distinct codes that are counted, as many as a message can hold."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Packed = tuple[tuple[int, int], ...]
"""Pairs of a bucket's index and its count."""


class Histogram:
    """Durations by bucket.

    ``observe`` counts one duration. It is ``append`` of a list that ``fold`` empties, because a
    frame has ten durations, and their buckets are found faster in one go.
    """

    __slots__ = ("_counts", "_new", "_total", "observe")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._new: list[float] = []
        self.observe = self._new.append

    def fold(self) -> None:
        """Put new durations into buckets; call it regularly, or the list grows."""
        for seconds in self._new:
            self._counts[bisect_left(BOUNDS, seconds)] += 1
            self._total += seconds
        self._new.clear()

    def add(self, total: float, buckets: Packed) -> None:
        """Add the packed counts of another histogram."""
        self._total += total
        for index, count in buckets:
            if index < len(self._counts):
                self._counts[index] += count

    def packed(self) -> tuple[float, Packed]:
        """Return the total, and the count of each bucket that is not empty."""
        self.fold()
        return self._total, tuple((index, n) for index, n in enumerate(self._counts) if n)

    @property
    def total(self) -> float:
        """Sum of all durations in seconds."""
        self.fold()
        return self._total

    @property
    def count(self) -> int:
        """Number of durations."""
        self.fold()
        return sum(self._counts)

    def below(self, bound: float) -> int:
        """Return the number of durations in the buckets up to a bound."""
        self.fold()
        return sum(self._counts[: bisect_left(BOUNDS, bound) + 1])

    def percentile(self, share: float) -> float:
        """Return the duration in seconds below which a share (0..1) lies; 0 without durations."""
        wanted, seen = share * self.count, 0
        for bound, count in zip(BOUNDS, self._counts, strict=False):
            seen += count
            if count and seen >= wanted:
                return bound
        return BOUNDS[-1] if self.count else 0.0


class Scores:
    """Liveness scores, counted by index of ``SCORE_BOUNDS``."""

    def __init__(self) -> None:
        self.total = 0.0
        self.counts: Counter[int] = Counter()

    def observe(self, score: float) -> None:
        """Count one score, 0..1."""
        self.total += score
        self.counts[min(bisect_left(SCORE_BOUNDS, score), len(SCORE_BOUNDS) - 1)] += 1

    def add(self, total: float, buckets: Packed) -> None:
        """Add the packed counts of another process."""
        self.total += total
        self.counts.update(dict(buckets))

    def packed(self) -> tuple[float, Packed]:
        """Return the total, and the count of each bucket that is not empty."""
        return self.total, tuple(self.counts.items())


def merged(histograms: Iterable[tuple[float, Packed]]) -> Histogram:
    """Return the sum of packed histograms."""
    whole = Histogram()
    for packed in histograms:
        whole.add(*packed)
    return whole


class Recent:
    """A histogram of the last minute, kept as slices of 10 s; the oldest is discarded."""

    SLICES = 6
    SLICE_SECONDS = 10.0

    def __init__(self) -> None:
        self._slices: dict[int, Histogram] = {}

    def observe(self, seconds: float, now: float) -> None:
        """Count one duration that ended at a monotonic time."""
        number = int(now / self.SLICE_SECONDS)
        current = self._slices.get(number)
        if current is None:
            current = self._slices[number] = Histogram()
            self._discard_old(number)
            for complete in self._slices.values():
                complete.fold()
        current.observe(seconds)

    def histogram(self, now: float) -> Histogram:
        """Return the histogram of the last minute."""
        self._discard_old(int(now / self.SLICE_SECONDS))
        return merged(piece.packed() for piece in self._slices.values())

    def _discard_old(self, newest: int) -> None:
        for number in [n for n in self._slices if n <= newest - self.SLICES]:
            del self._slices[number]


class Accounts:
    """What one process, such as ``worker-0``, has done since it started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: dict[str, Histogram] = {}
        self.codes: Counter[int] = Counter()
        self.scores = Scores()
        self._sent = 0.0

    def step(self, name: str) -> Histogram:
        """Return the histogram of a step; a caller that observes often can keep it."""
        histogram = self.steps.get(name)
        if histogram is None:
            histogram = self.steps[name] = Histogram()
        return histogram

    def observe(self, step: str, seconds: float) -> None:
        """Count one duration of a step."""
        self.step(step).observe(seconds)

    def count_code(self, code: int) -> None:
        """Count a frame that got a code.

        Plugins may make any number of codes; only the first ``MAX_CODES`` distinct ones count.
        """
        if code in self.codes or len(self.codes) < MAX_CODES:
            self.codes[code] += 1

    def fold(self) -> None:
        """Put new durations of all steps into buckets; call it regularly."""
        for histogram in self.steps.values():
            histogram.fold()

    def due(self, now: float) -> bool:
        """Return whether to send the account now: True at most once a second."""
        if now - self._sent < SEND_SECONDS:
            return False
        self._sent = now
        return True

    def message(self) -> Account:
        """Return the account to send: totals since the process started."""
        return Account(
            self.name,
            os.getpid(),
            cpu=time.process_time(),
            memory=resident_bytes(),
            steps={step: histogram.packed() for step, histogram in self.steps.items()},
            codes=tuple(self.codes.items()),
            scores=self.scores.packed(),
        )


def resident_bytes() -> int:
    """Return the resident set size of this process in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except OSError:  # without /proc, use the peak size
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
