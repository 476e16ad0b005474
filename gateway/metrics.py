"""Counters of the gateway; ``gateway.statistics`` publishes them with all other metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from gateway.counters import Counter
from shared.process.accounts import Accounts, Recent
from shared.wire.protocol import Drop

REGISTRY = CollectorRegistry()
SESSIONS = Counter("lunapass_sessions", "Sessions decided", ("outcome",), registry=REGISTRY)
RECEIVED = Counter("lunapass_frames_received", "Frames received", registry=REGISTRY)
FRAMES = Counter("lunapass_frames", "Frames answered", ("outcome", "reason"), registry=REGISTRY)
FRAMES_REFUSED = Counter(
    "lunapass_frames_refused",
    "Frames refused before judgement",
    ("reason",),
    registry=REGISTRY,
)
UNREADABLE = "unreadable"
"""Reason of the outcome ``refused``: the frame is not an acceptable image and was not judged."""
UNKEPT = Counter(
    "lunapass_frames_unkept",
    "Frames not retained until their side effects are done",
    registry=REGISTRY,
)
FRAME_ERRORS = tuple(
    f"frame.{error}"
    for error in (
        "empty",
        "format",
        "too-big",
        "too-many-pixels",
        "too-many-scans",
        "padding",
        "transparent",
        "undecodable",
    )
)
REFUSALS = (
    "draining",
    "full",
    "host",
    "origin",
    "password",
    "wrong-passwords",
    "address-rate",
    "rate",
    "request",
)
REQUESTS_REFUSED = Counter(
    "lunapass_requests_refused", "Requests refused before a session", ("reason",), registry=REGISTRY
)
WORKERS_LOST = Counter("lunapass_workers_lost", "Workers lost", ("reason",), registry=REGISTRY)
for outcome in ("accepted", "refused", "left"):  # a missing series would have no rate
    SESSIONS.labels(outcome)
for error in FRAME_ERRORS:
    FRAMES_REFUSED.labels(error)
for refusal in REFUSALS:
    REQUESTS_REFUSED.labels(refusal)
for loss in ("dead", "gone", "silent", "stuck"):
    WORKERS_LOST.labels(loss)
for drop in Drop:
    FRAMES.labels("dropped", drop.value)
FRAMES.labels("refused", UNREADABLE)

STEPS = Accounts("gateway")
"""Durations of this process's steps.

``receive``, ``dispatch`` and ``reply`` are work of the event loop; ``decode`` and ``encode`` are
work of a decoding thread; ``queue``, ``estimate`` and ``judge`` are a frame's waiting times for a
worker's credit, its estimate and its judgement; ``answer`` is the total, from a frame's receipt to
its status.
"""
RECEIVE, QUEUE, DECODE, DISPATCH, ESTIMATE, ENCODE, JUDGE, REPLY, ANSWER = map(
    STEPS.step,
    ("receive", "queue", "decode", "dispatch", "estimate", "encode", "judge", "reply", "answer"),
)
ANSWERS = Recent()
"""The step ``answer`` of the last minute."""


def totals(counter: Counter, label: str = "") -> dict[str, int]:
    """Return the totals of a counter by one of its labels, or under an empty name."""
    samples = next(iter(counter.collect())).samples
    return {
        sample.labels.get(label, ""): int(sample.value)
        for sample in samples
        if sample.name.endswith("_total")
    }
