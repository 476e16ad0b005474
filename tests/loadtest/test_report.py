"""The report detects growing memory and writes valid JSON."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
from pathlib import Path

import pytest

from loadtest import capacity
from loadtest.page import as_html
from loadtest.plan import LoadProfile, Plan
from loadtest.report import as_json, memory_growth, notes, write
from loadtest.runner import LoadRun
from loadtest.tally import CrowdTally, record
from loadtest.watch import UsageSample, Watch, metrics_address, read
from tests.support.waiting import until


def outcome(seconds: float, growth: float) -> LoadRun:
    """A run in which a process's memory grows each minute by a share of its initial size."""
    made = LoadRun(Plan("ws://h:1/ws", LoadProfile("soak", 5, seconds)), Watch("ws://h:1/ws"))
    for second in range(int(seconds)):
        size = 100e6 * (1 + growth * second / 60)
        made.watch.samples.append(
            UsageSample(float(second), {"gateway": second / 2}, {"gateway": size})
        )
        tally = CrowdTally()
        record(tally.latency, 0.01)
        tally.dropped["replaced"] = second % 2 * 9
        made.take(0, {"second": second + 1, "cpu": 1.0, **tally.packed()})
    return made


def test_constant_memory_has_no_growth() -> None:
    """Growth is the last minute's memory over the third minute's."""
    assert memory_growth(outcome(600, 0.0)) == {"gateway": 1.0}


def test_a_leak_is_detected() -> None:
    """One percent of the initial size per minute is seven percent from the third to the last."""
    assert memory_growth(outcome(600, 0.01))["gateway"] == pytest.approx(1.068, abs=0.003)


def test_a_short_run_reports_no_growth() -> None:
    """Caches and buffers are still filling."""
    assert memory_growth(outcome(120, 0.5)) == {}


def test_a_busy_process_is_reported_in_percent() -> None:
    """Half a second of each second is half a core."""
    percents = as_json(outcome(300, 0.0))["service"]["cpuPercent"]["gateway"]
    assert {round(used) for _, used in percents} == {50}


def test_an_infinite_latency_is_valid_json(tmp_path: Path) -> None:
    """JSON has no infinity; the value is a word instead."""
    data, page = write(outcome(5, 0.0), tmp_path)
    report = json.loads(data.read_text(), parse_constant=pytest.fail)
    assert report["whole"]["latencyMs"]["p99"] == "late"
    assert page.read_text().startswith("<!doctype html>")


def test_a_password_stays_out_of_the_reports(tmp_path: Path) -> None:
    """A reader of a report must not be able to log in."""
    url = "ws://user:hidden@h:1/ws"
    made = LoadRun(Plan(url, LoadProfile("soak", 5, 60)), Watch(url))
    for file in (*write(made, tmp_path), capacity.write([], made.plan, 0.2, tmp_path)):
        assert "hidden" not in file.read_text()
        assert "h:1/ws" in file.read_text()


def test_the_page_has_notes_about_incomplete_runs() -> None:
    """They name a stopped run, late clients and missing metrics."""
    made = outcome(5, 0.0)
    assert notes(made) == []
    made.stopped = True
    made.watch.trouble = "http://h:1/metrics answers 403"
    for _ in range(100):
        record(made.whole.lateness, 0.2)
    assert len(notes(made)) == 3
    assert "answers 403" in as_html(as_json(made), notes(made))


def test_every_chart_has_the_same_seconds() -> None:
    """This includes one whose values end before the run does."""
    made = outcome(10, 0.0)
    del made.watch.samples[4:]
    axes = set(re.findall(r'text-anchor="middle">([\d.]+)</text>', as_html(as_json(made))))
    assert axes == {"0", "2", "4", "6", "8", "10"}


def test_late_metrics_cause_no_peak() -> None:
    """Processes report CPU time once a second; two readings may see no change, then a jump."""
    watch = Watch("ws://h:1/ws")
    watch.samples = [UsageSample(float(n), {"gateway": n // 2}) for n in range(60)]
    percents = [used for _, used in watch.cpu_percent(0.0)["gateway"][5:]]
    assert 35 < min(percents) <= max(percents) < 65


@pytest.mark.parametrize(
    "written",
    ["12 Come closer", "failed: session.full", "too many frames dropped", "frames per second",
     "% of a core", "MB", "at most 5 kiosks", "one after each answer", "+6.8\u00a0%"],
)  # fmt: skip
def test_the_page_is_in_words_and_units(written: str) -> None:
    """It uses words instead of JSON names and bare code numbers."""
    made = outcome(600, 0.01)
    made.plan = dataclasses.replace(made.plan, fps=0.0)
    made.whole.codes[12] = 3
    made.whole.failed["session.full"] = 1
    assert f">{written}" in as_html(as_json(made)) or f"{written}<" in as_html(as_json(made))


def test_seconds_are_added_up_over_processes() -> None:
    """People and frames of all processes add up; a period has the people of its last second."""
    made = LoadRun(Plan("ws://h:1/ws", LoadProfile("soak", 5, 60)), Watch("ws://h:1/ws"))
    for second, process, people in ((1, 0, 9), (1, 1, 9), (2, 0, 2), (2, 1, 3)):
        tally = CrowdTally(kiosks=people)
        tally.counts["sent"] = 1
        made.take(process, {"second": second, "cpu": 1.0, **tally.packed()})
    assert made.between(0, 2).kiosks == 5
    assert made.between(0, 2).counts["sent"] == 4
    assert made.between(1, 2).counts["sent"] == 2


GAUGE = "# TYPE lunapass_memory_bytes gauge\nlunapass_memory_bytes{"
COUNTER = "# TYPE lunapass_cpu_seconds_total counter\nlunapass_cpu_seconds_total{"


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("<html>{</html>\n", "format of Prometheus"),
        ("# TYPE other gauge\nother 1\n", "no process"),
        (GAUGE + 'name="x"} 1\n', "format of Prometheus"),
        (COUNTER + 'process="gateway"} 1\n', ""),
    ],
)
async def test_unreadable_metrics_are_reported(answer: str, trouble: str) -> None:
    """The page gives a reason for missing charts, whatever the service answered."""

    async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
        writer.write((head + answer).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        watch = Watch(f"ws://u:hidden@127.0.0.1:{port}/ws")
        watching = asyncio.create_task(watch.run())
        await until(lambda: watch.trouble or watch.samples)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    assert trouble in watch.trouble
    assert bool(watch.trouble) is bool(trouble)
    assert "hidden" not in watch.trouble


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:8321/ws", "http://127.0.0.1:8321/metrics"),
        ("wss://face.example/ws?x=1", "https://face.example/metrics"),
    ],
)
def test_the_metrics_url_follows_from_the_socket_url(url: str, address: str) -> None:
    """It has the same host, with or without TLS."""
    assert metrics_address(url) == address


def test_metrics_are_parsed() -> None:
    """CPU time and memory are read by process; other series are ignored."""
    text = (
        "# TYPE lunapass_cpu_seconds_total counter\n"
        'lunapass_cpu_seconds_total{process="gateway"} 1.5\n'
        "# TYPE lunapass_memory_bytes gauge\n"
        'lunapass_memory_bytes{process="worker-0"} 7\n'
        "# TYPE other gauge\nother 1\n"
    )
    sample = read(text, 3.0)
    assert (sample.cpu, sample.memory) == ({"gateway": 1.5}, {"worker-0": 7.0})
