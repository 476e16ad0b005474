"""What the gateway counts where it happens; ``gateway.statistics`` shows it with all the rest."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics

from shared.process.accounts import Accounts, Recent
from shared.wire.protocol import Drop

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
SESSIONS = Counter("lunapass_sessions", "Sessions decided", ["outcome"], registry=REGISTRY)
RECEIVED = Counter("lunapass_frames_received", "Frames received", registry=REGISTRY)
FRAMES = Counter("lunapass_frames", "Frames answered", ["outcome", "reason"], registry=REGISTRY)
FRAMES_REFUSED = Counter(
    "lunapass_frames_refused",
    "Frames that are no acceptable picture",
    ["reason"],
    registry=REGISTRY,
)
UNREADABLE = "unreadable"
"""Reason of the outcome ``refused``: the frame is no acceptable picture, and was not judged."""
UNKEPT = Counter(
    "lunapass_frames_unkept", "Frames not kept until their side effects are done", registry=REGISTRY
)
FRAME_FAULTS = tuple(
    f"frame.{fault}"
    for fault in (
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
    "lunapass_requests_refused", "Requests refused before a session", ["reason"], registry=REGISTRY
)
WORKERS_LOST = Counter("lunapass_workers_lost", "Workers lost", ["reason"], registry=REGISTRY)
for outcome in ("accepted", "refused", "left"):  # a series that is not there yet has no rate
    SESSIONS.labels(outcome)
for fault in FRAME_FAULTS:
    FRAMES_REFUSED.labels(fault)
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
work of a decoding thread; ``queue``, ``estimate`` and ``judge`` are what a frame waits for a
worker's credit, for its estimate and for its verdict; ``answer`` is the whole, from a frame's
receipt to its status.
"""
RECEIVE, QUEUE, DECODE, DISPATCH, ESTIMATE, ENCODE, JUDGE, REPLY, ANSWER = map(
    STEPS.step,
    ("receive", "queue", "decode", "dispatch", "estimate", "encode", "judge", "reply", "answer"),
)
ANSWERS = Recent()
"""The step ``answer`` of the last minute."""


def totals(counter: Counter, label: str = "") -> dict[str, int]:
    """Totals of a counter by one of its labels, or under an empty name."""
    samples = next(iter(counter.collect())).samples
    return {
        sample.labels.get(label, ""): int(sample.value)
        for sample in samples
        if sample.name.endswith("_total")
    }
