"""A process's own accounting: how often and how long each of its steps took, and what it used.

Steps are noted into histograms whose buckets grow by an eighth of an octave: a percentile read
from them is at most a tenth too high, and noting costs less than a microsecond. Workers and the
aggregator send theirs to the gateway once a second, so that one process can tell of all.
"""

from __future__ import annotations

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
"""Upper bounds of the buckets in seconds, 10 microseconds to 20 s; one bucket more is beyond."""
SEND_SECONDS = 1.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Packed = tuple[tuple[int, int], ...]
"""Pairs of a bucket's index and its count."""


class Histogram:
    """Durations by bucket.

    Attributes:
        total: sum of all durations in seconds.
    """

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Add one duration."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def add(self, total: float, buckets: Packed) -> None:
        """Add what another histogram packed."""
        self.total += total
        for index, count in buckets:
            if index < len(self._counts):
                self._counts[index] += count

    def packed(self) -> tuple[float, Packed]:
        """Total, and count of each bucket that is not empty."""
        return self.total, tuple((index, n) for index, n in enumerate(self._counts) if n)

    @property
    def count(self) -> int:
        """Number of durations."""
        return sum(self._counts)

    def below(self, bound: float) -> int:
        """Number of durations in the buckets up to a bound."""
        return sum(self._counts[: bisect_left(BOUNDS, bound) + 1])

    def percentile(self, share: float) -> float:
        """Duration in seconds below which a share (0..1) lies; 0 when there is none."""
        wanted, seen = share * self.count, 0
        for bound, count in zip(BOUNDS, self._counts, strict=False):
            seen += count
            if count and seen >= wanted:
                return bound
        return BOUNDS[-1] if self.count else 0.0


def merged(histograms: Iterable[tuple[float, Packed]]) -> Histogram:
    """Add packed histograms up."""
    whole = Histogram()
    for packed in histograms:
        whole.add(*packed)
    return whole


class Recent:
    """A histogram of the last minute, in slices that are forgotten one after another."""

    SLICES = 6
    SLICE_SECONDS = 10.0

    def __init__(self) -> None:
        self._slices: dict[int, Histogram] = {}

    def note(self, seconds: float, now: float) -> None:
        """Add one duration that ended at a monotonic time."""
        number = int(now / self.SLICE_SECONDS)
        current = self._slices.get(number)
        if current is None:
            current = self._slices[number] = Histogram()
            self._forget(number)
        current.note(seconds)

    def histogram(self, now: float) -> Histogram:
        """Give what was noted within the last minute."""
        self._forget(int(now / self.SLICE_SECONDS))
        return merged(piece.packed() for piece in self._slices.values())

    def _forget(self, newest: int) -> None:
        for number in [n for n in self._slices if n <= newest - self.SLICES]:
            del self._slices[number]


class Accounts:
    """What one process has done so far.

    Args:
        name: name of the process, such as ``worker-0``.

    Attributes:
        steps: histogram of each step.
        codes: how often a frame was judged with each code.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: dict[str, Histogram] = {}
        self.codes: Counter[int] = Counter()
        self._sent = 0.0

    def step(self, name: str) -> Histogram:
        """Give the histogram of a step, for whoever notes it often."""
        histogram = self.steps.get(name)
        if histogram is None:
            histogram = self.steps[name] = Histogram()
        return histogram

    def note(self, step: str, seconds: float) -> None:
        """Add one duration of a step."""
        self.step(step).note(seconds)

    def due(self, now: float) -> bool:
        """Tell, at most once a second, that it is time to send the account."""
        if now - self._sent < SEND_SECONDS:
            return False
        self._sent = now
        return True

    def message(self) -> Account:
        """Give the account to send: totals since the process began."""
        return Account(
            self.name,
            os.getpid(),
            cpu=time.process_time(),
            memory=resident_bytes(),
            steps={step: histogram.packed() for step, histogram in self.steps.items()},
            codes=tuple(self.codes.items()),
        )


def resident_bytes() -> int:
    """Memory of this process that is its own or mapped, in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except OSError:  # no such file system: the greatest size so far must do
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
