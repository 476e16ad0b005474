"""Counters in the exposition format of Prometheus, cheap enough for each frame."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self) -> None:
        """Add one."""
        self.value += 1


class Counter:
    """A counter with labels, for the thread of the event loop only; its name is without ``_total``.

    The library's counter has a lock and checks that each frame would pay for twice.
    """

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...] = (), *, registry: CollectorRegistry
    ) -> None:
        self._describe = name, text
        self._names = labels
        self._counts: dict[tuple[str, ...], Count] = {}
        if not labels:
            self.labels()  # without labels its one series is there from the start
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """Return the series with these values of the labels, in order; a new one has count 0."""
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        family = CounterMetricFamily(*self._describe, labels=self._names)
        for values, count in self._counts.items():
            family.add_metric(values, count.value)
        yield family
