"""Metrics of the gateway: few series, scraped at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4"
REGISTRY = CollectorRegistry()
SESSIONS = Counter("lunapass_sessions", "Sessions ended", ["outcome"], registry=REGISTRY)
OPEN_SESSIONS = Gauge("lunapass_open_sessions", "Sessions open now", registry=REGISTRY)
FRAMES = Counter("lunapass_frames", "Frames answered", ["outcome", "reason"], registry=REGISTRY)
ANSWER_SECONDS = Histogram(
    "lunapass_answer_seconds",
    "Seconds from a frame's dispatch to its answer",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
WORKERS = Gauge("lunapass_workers", "Workers ready", registry=REGISTRY)
WORKERS_LOST = Counter("lunapass_workers_lost", "Workers lost", ["reason"], registry=REGISTRY)
SLOTS_FREE = Gauge("lunapass_slots_free", "Free frame slots", registry=REGISTRY)


def exposition() -> bytes:
    """All series in the text format of Prometheus."""
    return generate_latest(REGISTRY)
