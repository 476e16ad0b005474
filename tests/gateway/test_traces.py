"""Traces: a span for each sampled frame and one for each of its steps."""

from __future__ import annotations

import socket
import time

import pytest

from gateway.limits.buckets import TokenBucket
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from gateway.traces import Traces
from shared.config.service import TracesSection
from shared.errors import ConfigError
from shared.frame.estimation import Estimate, Profile, Stage
from shared.frame.intake import Header
from shared.wire.messages import Open, encode
from tests.support.judge import shot
from tests.support.receiver import raw_receiver

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="the extra traces is not installed")
SESSION = "0" * 32
HEADER = Header("jpeg", 640, 480)


def session(*, commits: bool = False) -> Session:
    opened = Open("i", SESSION, 1.0, 2, bytes(32), commits=commits)
    return Session(SESSION, opened, "192.0.2.1", TokenBucket(1, 1), 0.0)


def frame(received: float, timings: dict[str, float]) -> PendingFrame:
    """Return a frame that took 10 ms for each of queue, decode, estimate and judge."""
    made = PendingFrame(7, b"", HEADER, received, received + 5)
    made.begun, made.sent, made.asked = received + 0.01, received + 0.02, received + 0.03
    made.judged = received + 0.04
    made.estimate = encode(Estimate(640, 480, Profile.PASSIVE, Stage.QUALITY, timings=timings))
    return made


def spans(share: float, count: int = 1, **timings: float) -> list[sdk.ReadableSpan]:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    traces = Traces(TracesSection(isEnabled=True, share=share), exporter)
    for _ in range(count):
        received = time.monotonic()
        traces.frame(session(), frame(received, timings), received + 0.04)
    traces.close()
    return list(exporter.get_finished_spans())


def milliseconds(span: sdk.ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 1e6


def test_each_step_is_a_span_of_the_frame() -> None:
    """Spans have the durations of the steps, and the estimation's stages inside; one is decode."""
    made = {span.name: span for span in spans(1.0, decode=0.01, faces=4.0, quality=3.0)}
    assert set(made) == {"frame", "queue", "decode", "estimate", "judge", "faces", "quality"}
    assert milliseconds(made["frame"]) == pytest.approx(40, abs=0.01)
    for step in ("queue", "decode", "estimate", "judge"):
        assert milliseconds(made[step]) == pytest.approx(10, abs=0.01)
        assert made[step].parent.span_id == made["frame"].context.span_id  # type: ignore[union-attr]
    assert milliseconds(made["faces"]) == pytest.approx(4, abs=0.01)
    assert made["faces"].parent.span_id == made["estimate"].context.span_id  # type: ignore[union-attr]
    assert made["faces"].end_time == pytest.approx(made["quality"].start_time, abs=1000)


def test_the_best_shot_is_a_span_of_a_frame_that_passed() -> None:
    """It lasts from the worker's answer to the request for a verdict.

    The estimate ends before it.
    """
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    traces = Traces(TracesSection(isEnabled=True, share=1.0), exporter)
    received = time.monotonic()
    passed = frame(received, {})
    passed.shot, passed.estimated = shot(7), received + 0.026
    traces.frame(session(), passed, received + 0.04)
    traces.close()
    made = {span.name: span for span in exporter.get_finished_spans()}
    assert milliseconds(made["estimate"]) == pytest.approx(6, abs=0.01)
    assert milliseconds(made["encode"]) == pytest.approx(4, abs=0.01)


def test_the_wait_for_the_session_store_is_a_span() -> None:
    """It lasts from the judgement to the answer."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    traces = Traces(TracesSection(isEnabled=True, share=1.0), exporter)
    received = time.monotonic()
    traces.frame(session(commits=True), frame(received, {}), received + 0.06)
    traces.close()
    made = {span.name: span for span in exporter.get_finished_spans()}
    assert milliseconds(made["judge"]) == pytest.approx(10, abs=0.01)
    assert milliseconds(made["store"]) == pytest.approx(20, abs=0.01)


def test_spans_contain_only_numbers() -> None:
    """They name session and frame, and no measurement of the person."""
    (whole,) = [span for span in spans(1.0) if span.name == "frame"]
    assert dict(whole.attributes or {}) == {"session": SESSION, "seq": 7}


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 20, 80), (1.0, 100, 100)])
def test_the_sampling_ratio_is_respected(share: float, least: int, most: int) -> None:
    """The share is tested on a hundred frames."""
    made = [span for span in spans(share, 100) if span.name == "frame"]
    assert least <= len(made) <= most


def test_traces_without_the_extra_are_an_error_at_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the key and what to do."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"\[TRACES\] isEnabled.*extra 'traces'"):
        Traces(TracesSection(isEnabled=True))


def test_an_invalid_estimate_has_no_stages() -> None:
    """A defective worker costs its frame the spans, but never the answer."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    traces = Traces(TracesSection(isEnabled=True, share=1.0), exporter)
    received = time.monotonic()
    broken = frame(received, {})
    broken.estimate = b"\xc1"
    traces.frame(session(), broken, received + 0.04)
    traces.close()
    names = {span.name for span in exporter.get_finished_spans()}
    assert names == {"frame", "queue", "decode", "estimate", "judge"}


def test_a_failing_collector_hardly_delays_the_shutdown() -> None:
    """The gateway waits for two attempts within 2 s, not for all retries (about 7 s)."""

    def fail(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with raw_receiver(fail) as (port, tries):
        address = f"http://127.0.0.1:{port}/v1/traces"
        traces = Traces(TracesSection(isEnabled=True, share=1.0, endpoint=address))
        received = time.monotonic()
        traces.frame(session(), frame(received, {}), received + 0.04)
        traces.close()
    assert 1 <= len(tries) <= 2
