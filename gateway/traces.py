"""OpenTelemetry traces: a span per judged frame and one per step of it (extra ``traces``).

Spans are made from a frame's recorded times when it is answered, so tracing costs nothing before
that, and nothing for frames outside the sample. Attributes are session ids and frame numbers;
nothing measured on a person is exported.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
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
"""Time-out of one export with its retries: an absent collector delays the gateway's stop by it."""


class Traces:
    """Makes the spans of a sample of the frames; by default exports them by OTLP over HTTP.

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
        """Make the spans of a frame answered at a monotonic time, if it is in the sample."""
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
        if frame.sent:  # otherwise no worker got it
            span("queue", frame.received, frame.begun, whole)
            span("decode", frame.begun, frame.sent, whole)
            start = frame.estimated or frame.asked  # no worker gave an estimate
            estimation = span("estimate", frame.sent, start, whole)
            for stage, seconds in reversed(_stages(frame)):
                span(stage, start - seconds, start, estimation)
                start -= seconds
            if frame.shot is not None:
                span("encode", frame.estimated, frame.asked, whole)
        span("judge", frame.asked, frame.judged, whole)
        if session.opened.commits:  # the answer waited until it was stored
            span("store", frame.judged, answered, whole)

    def close(self) -> None:
        """Export the remaining spans and stop."""
        self._provider.shutdown()


def _stages(frame: PendingFrame) -> list[tuple[str, float]]:
    """Return the seconds of each stage of the estimation, in order.

    The first stage is omitted: it only checks the frame's size, and the gateway's step has the same
    name.
    """
    try:
        estimate: Estimate = decode_estimate(frame.estimate or b"")
    except MessageError:  # an invalid estimate; the frame is judged all the same
        return []
    return [
        (stage, milliseconds / 1000)
        for stage, milliseconds in estimate.timings.items()
        if stage != "decode"
    ]
