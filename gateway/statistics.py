"""Statistics of the cell: JSON at /statistics, Prometheus metrics at /metrics."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway import metrics
from gateway.ledger import Ledger
from gateway.pool.dispatch import Dispatcher
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.sessions import Sessions
from shared import __version__
from shared.codes import Code
from shared.process.accounts import BOUNDS, SCORE_BOUNDS, STEPS_PER_OCTAVE, Histogram
from shared.process.clock import SYSTEM, Clock
from shared.wire.protocol import Drop

PROMETHEUS = "text/plain; version=0.0.4"
_OCTAVES = BOUNDS[3 * STEPS_PER_OCTAVE :: STEPS_PER_OCTAVE]
"""Bounds of the published histograms: doublings from 80 microseconds to 20 s."""


class Statistics(Collector):
    """Reads the state of a gateway on request."""

    def __init__(
        self,
        sessions: Sessions,
        dispatcher: Dispatcher,
        link: JudgementLink,
        ledger: Ledger,
        generation: Callable[[], str],
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._sessions = sessions
        self._dispatcher = dispatcher
        self._link = link
        self._ledger = ledger
        self._generation = generation
        self._clock = clock
        self._began = clock.monotonic()

    def json(self) -> bytes:
        """Return the statistics; counters are totals since the gateway's start.

        The aggregator counts ``failedChecks`` since its own start, except code 1 (undecodable
        frames), which the gateway counts. ``latencyMs`` is about the frames answered within the
        last minute, from their receipt to their status.
        """
        return json.dumps(self.reading(), separators=(",", ":")).encode()

    def _failed_checks(self, unreadable: int) -> dict[str, int]:
        counts = {str(code): count for code, count in self._ledger.codes().items()}
        if unreadable:
            counts[str(int(Code.FRAME_UNDECODABLE))] = unreadable
        return counts

    def reading(self) -> dict[str, Any]:
        """Return the content of ``json``."""
        dispatcher = self._dispatcher
        outcomes = metrics.totals(metrics.SESSIONS, "outcome")
        by_reason = metrics.totals(metrics.FRAMES, "reason")
        return {
            "at": round(self._clock.wall(), 3),
            "uptimeSeconds": round(self._clock.monotonic() - self._began, 1),
            "version": __version__,
            "configuration": self._generation(),
            "sessions": {
                "open": len(self._sessions.all()),
                "undecided": self._sessions.undecided,
                "accepted": outcomes.get("accepted", 0),
                "refused": outcomes.get("refused", 0),
                "left": outcomes.get("left", 0),
            },
            "recentSessions": [session._asdict() for session in self._sessions.recent.all()],
            "frames": {
                "received": metrics.totals(metrics.RECEIVED)[""],
                "judged": by_reason.get("", 0),
                "refused": by_reason[metrics.UNREADABLE],
                "dropped": {drop.value: by_reason[drop.value] for drop in Drop},
            },
            "failedChecks": self._failed_checks(by_reason[metrics.UNREADABLE]),
            "latencyMs": _latency(metrics.ANSWERS.histogram(self._clock.monotonic())),
            "workers": [
                {
                    "name": tally.name,
                    "pid": tally.pid,
                    "state": tally.state,
                    "jobs": tally.jobs,
                    "judged": tally.estimated,
                    "lost": tally.lost,
                }
                for tally in dispatcher.workers.tallies
            ],
            "slots": {"total": dispatcher.slots, "free": dispatcher.free_slots},
            "aggregator": {"up": self._link.up},
            "cpuSeconds": {name: round(cpu, 3) for name, cpu in self._ledger.cpu().items()},
            "effects": [
                {
                    "plugin": sink.name,
                    "dropped": sink.dropped,
                    "waitingBytes": sink.waiting,
                    "disabled": sink.disabled,
                }
                for sink in self._sessions.sinks
            ],
        }

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(metrics.REGISTRY) + generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that are read on request."""
        reading = self.reading()
        undecided = reading["sessions"]["undecided"]
        sessions = {"undecided": undecided, "decided": reading["sessions"]["open"] - undecided}
        states = [worker["state"] for worker in reading["workers"]]
        workers = {state: states.count(state) for state in ("idle", "busy", "leaving", "lost")}
        yield _gauge("lunapass_open_sessions", "Sessions now", "state", sessions)
        yield _gauge("lunapass_workers", "Workers now", "state", workers)
        up = float(self._link.up)
        yield GaugeMetricFamily("lunapass_aggregator_up", "Aggregator answers", value=up)
        free = self._dispatcher.free_slots
        yield GaugeMetricFamily("lunapass_slots_free", "Free frame slots", value=free)
        yield GaugeMetricFamily(
            "lunapass_open_leases",
            "Frames leased, waiting for a retry or being encoded",
            value=self._dispatcher.open_leases,
        )
        reached = self._sessions.handover.reached
        if reached is not None:
            yield GaugeMetricFamily(
                "lunapass_session_store_up",
                "Whether the last access to the session store succeeded",
                value=float(reached),
            )
        yield _gauge("lunapass_queue_age_seconds", "Age of the oldest frame", "queue", self._ages())
        failed = reading["failedChecks"]
        yield _counter("lunapass_failed_checks", "Frames judged with a code", "code", failed)
        yield from _effects(reading["effects"])
        yield _counter("lunapass_cpu_seconds", "CPU time", "process", reading["cpuSeconds"])
        memory = self._ledger.memory()
        yield _gauge("lunapass_memory_bytes", "Resident memory", "process", memory)
        yield self._steps()
        yield self._scores()
        build = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("lunapass_build", "Version of the service", value=build)

    def _ages(self) -> dict[str, float]:
        """Return the age of the oldest frame waiting for a worker, and of the oldest with one."""
        now = self._clock.monotonic()
        sessions = self._sessions.all()
        return {
            "waiting": _oldest((session.waiting for session in sessions), now),
            "active": _oldest((session.active for session in sessions), now),
        }

    def _scores(self) -> Metric:
        scores, buckets, below = self._ledger.scores(), [], 0
        for index, bound in enumerate(SCORE_BOUNDS):
            below += scores.counts[index]
            buckets.append((f"{bound:g}", float(below)))
        buckets.append(("+Inf", float(below)))
        family = HistogramMetricFamily("lunapass_liveness_score", "Liveness scores of frames")
        family.add_metric([], buckets, scores.total)
        return family

    def _steps(self) -> Metric:
        family = HistogramMetricFamily(
            "lunapass_step_seconds", "Duration of a frame's steps", labels=["role", "step"]
        )
        for (role, step), histogram in sorted(self._ledger.steps().items()):
            buckets = [(f"{bound:.6g}", histogram.below(bound)) for bound in _OCTAVES]
            buckets.append(("+Inf", histogram.count))
            family.add_metric([role, step], buckets, histogram.total)
        return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge with one label; ``values`` are by that label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a counter with one label; ``values`` are by that label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _effects(effects: list[dict[str, Any]]) -> Iterator[Metric]:
    """Yield the state of the side-effect plugins, since the aggregator's start."""
    families = (
        (_counter, "dropped", "lunapass_effects_dropped", "Images and events dropped"),
        (_gauge, "waitingBytes", "lunapass_effects_waiting_bytes", "Bytes not written yet"),
        (_gauge, "disabled", "lunapass_effects_disabled", "1 while the plugin cannot write"),
    )
    for kind, key, name, text in families:
        values = {effect["plugin"]: float(effect[key]) for effect in effects}
        yield kind(name, text, "plugin", values)


def _latency(histogram: Histogram) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: round(1000 * histogram.percentile(part), 2) for name, part in shares.items()}
    return {**found, "count": histogram.count}


def _oldest(frames: Iterable[Any], now: float) -> float:
    received = (frame.received for frame in frames if frame is not None)
    return max((now - at for at in received), default=0.0)
