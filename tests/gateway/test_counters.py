"""Counters of the gateway have the output format of Prometheus's own library."""

from __future__ import annotations

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.counters import Counter

NAME, TEXT = "lunapass_things", "Things counted"


@pytest.mark.parametrize("labels", [(), ("kind",), ("kind", "reason")])
def test_series_are_written_as_by_the_library(labels: tuple[str, ...]) -> None:
    """A scraper sees no difference, whatever the labels contain."""
    registries = CollectorRegistry(), CollectorRegistry()
    ours = Counter(NAME, TEXT, labels, registry=registries[0])
    library = prometheus_client.Counter(NAME, TEXT, labels, registry=registries[1])
    values = ('a "quoted"\\', "b\n")[: len(labels)]
    for _ in range(3):
        ours.labels(*values).inc()
        (library.labels(*values) if labels else library).inc()
    written = generate_latest(registries[1]).decode().splitlines()
    without_time = [line for line in written if "_created" not in line]
    assert generate_latest(registries[0]).decode().splitlines() == without_time


def test_a_series_is_exposed_before_its_first_event() -> None:
    """A rate of a series that appears with its first event would miss that event."""
    registry = CollectorRegistry()
    counter = Counter(NAME, TEXT, ("kind",), registry=registry)
    counter.labels("rare")
    Counter(f"{NAME}_unlabelled", TEXT, registry=registry)
    written = generate_latest(registry).decode()
    assert 'lunapass_things_total{kind="rare"} 0.0' in written
    assert "lunapass_things_unlabelled_total 0.0" in written


def test_a_series_is_the_same_object_each_time() -> None:
    """Code that counts every frame keeps a reference to its series."""
    counter = Counter(NAME, TEXT, ("kind",), registry=CollectorRegistry())
    kept = counter.labels("often")
    counter.labels("often").inc()
    assert kept.value == 1
