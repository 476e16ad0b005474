"""The report: memory that grows is seen, and JSON that programs can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.plan import Plan, Profile
from loadtest.report import as_json, memory_growth, write
from loadtest.runner import Outcome
from loadtest.tally import Tally, note
from loadtest.watch import Sample, Watch, metrics_address, read


def outcome(seconds: float, growth: float) -> Outcome:
    """A run in which a process's memory grows by a share of its beginning in each minute."""
    made = Outcome(Plan("ws://h:1/ws", Profile("soak", 5, seconds)), Watch("ws://h:1/ws"))
    for second in range(int(seconds)):
        size = 100e6 * (1 + growth * second / 60)
        made.watch.samples.append(Sample(float(second), {"gateway": second / 2}, {"gateway": size}))
        tally = Tally()
        note(tally.latency, 0.01)
        tally.dropped["replaced"] = second % 2 * 9
        made.take(0, {"second": second + 1, "cpu": 1.0, **tally.packed()})
    return made


def test_flat_memory_is_flat() -> None:
    """The last minute over the third."""
    assert memory_growth(outcome(600, 0.0)) == {"gateway": 1.0}


def test_a_leak_is_seen() -> None:
    """One percent of the beginning each minute is seven from the third to the last."""
    assert memory_growth(outcome(600, 0.01))["gateway"] == pytest.approx(1.068, abs=0.003)


def test_a_short_run_says_nothing_of_memory() -> None:
    """Caches and buffers are still filling."""
    assert memory_growth(outcome(120, 0.5)) == {}


def test_a_busy_process_is_told_in_percent() -> None:
    """Half a second of each second is half a core."""
    told = as_json(outcome(300, 0.0))["service"]["cpuPercent"]["gateway"]
    assert {round(used) for _, used in told} == {50}


def test_what_was_too_late_is_still_json(tmp_path: Path) -> None:
    """Infinity is not JSON; the word for it is."""
    data, page = write(outcome(5, 0.0), tmp_path)
    report = json.loads(data.read_text(), parse_constant=pytest.fail)
    assert report["whole"]["latencyMs"]["p99"] == "late"
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:8321/ws", "http://127.0.0.1:8321/metrics"),
        ("wss://face.example/ws?x=1", "https://face.example/metrics"),
    ],
)
def test_metrics_are_beside_the_socket(url: str, address: str) -> None:
    """On the same host, with or without TLS."""
    assert metrics_address(url) == address


def test_an_exposition_is_read() -> None:
    """Processor time and memory by process; other series are left alone."""
    text = (
        "# TYPE lunapass_cpu_seconds_total counter\n"
        'lunapass_cpu_seconds_total{process="gateway"} 1.5\n'
        "# TYPE lunapass_memory_bytes gauge\n"
        'lunapass_memory_bytes{process="worker-0"} 7\n'
        "# TYPE other gauge\nother 1\n"
    )
    sample = read(text, 3.0)
    assert (sample.cpu, sample.memory) == ({"gateway": 1.5}, {"worker-0": 7.0})
