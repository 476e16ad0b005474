"""OpenTelemetry traces: a span for each judged frame, one for each of its steps (extra ``traces``).

Spans are made once a frame is answered, out of the times that it bears, so that tracing costs
nothing until then, and nothing at all for frames outside of the sample. Attributes are numbers of
sessions and frames; nothing measured on a person goes out.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.sessions.session import PendingFrame, Session
from shared import __version__
from shared.config.service import TracesSection
from shared.errors import ConfigError, MessageError
from shared.frame.estimation import Estimate
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import decode_estimate

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

NANO = 1_000_000_000
EXPORT_SECONDS = 2
"""For one export with its retries: what the gateway's end may wait for a collector that is away."""


class Traces:
    """Makes the spans of a sample of the frames.

    Args:
        settings: share and destination.
        exporter: where finished spans go; by default OTLP over HTTP to the destination.
        clock: gives the spans their times.

    Raises:
        ConfigError: the extra ``traces`` is not installed.
    """

    def __init__(
        self,
        settings: TracesSection,
        exporter: SpanExporter | None = None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace import set_span_in_context

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter(settings.endpoint, timeout=EXPORT_SECONDS)
        except ImportError as error:
            raise ConfigError(
                "[TRACES] isEnabled: OpenTelemetry is not installed; install the extra 'traces' "
                "or set isEnabled = 0"
            ) from error
        resource = Resource.create({"service.name": "lunapass", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("lunapass.gateway", __version__)
        self._inside = set_span_in_context
        self._clock = clock
        self._share = settings.share
        self._chance = random.Random()  # noqa: S311  # a sample, no secret

    def frame(self, session: Session, frame: PendingFrame, answered: float) -> None:
        """Make the spans of an answered frame, if it is of the sample.

        Args:
            session: its session.
            frame: the frame, with its times on the monotonic clock.
            answered: monotonic time of its answer.
        """
        if self._chance.random() >= self._share:
            return
        epoch = self._clock.wall() - self._clock.monotonic()

        def span(name: str, start: float, end: float, parent: Span | None = None) -> Span:
            made = self._tracer.start_span(
                name,
                context=self._inside(parent) if parent else None,
                start_time=int((epoch + start) * NANO),
            )
            if not parent:
                made.set_attributes({"session": session.id, "seq": frame.seq})
            made.end(int((epoch + end) * NANO))
            return made

        whole = span("frame", frame.received, answered)
        if frame.sent:  # else no worker has seen it
            span("queue", frame.received, frame.begun, whole)
            span("decode", frame.begun, frame.sent, whole)
            start = frame.estimated or frame.asked  # no worker gave an estimate
            estimation = span("estimate", frame.sent, start, whole)
            for stage, seconds in reversed(_stages(frame)):
                span(stage, start - seconds, start, estimation)
                start -= seconds
            if frame.shot is not None:
                span("encode", frame.estimated, frame.asked, whole)
        span("judge", frame.asked, answered, whole)

    def close(self) -> None:
        """Send what is still waiting."""
        self._provider.shutdown()


def _stages(frame: PendingFrame) -> list[tuple[str, float]]:
    """Seconds of each stage of the estimation, in their order.

    Without the first, whose name is that of the gateway's step: the worker only holds the size
    against its bounds there.
    """
    try:
        estimate: Estimate = decode_estimate(frame.estimate or b"")
    except MessageError:  # of a worker at fault; its frame has its verdict all the same
        return []
    return [
        (stage, milliseconds / 1000)
        for stage, milliseconds in estimate.timings.items()
        if stage != "decode"
    ]
