"""Counters of the gateway; ``gateway.statistics`` publishes them with all other metrics."""

from collections.abc import Sequence
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from gateway.counters import Counter
from shared.codes import Code
from shared.process.accounts import Accounts, Recent
from shared.wire.protocol import Drop

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each histogram, of no use
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_counter = partial(Counter, registry=REGISTRY)
SESSIONS = _counter("lunapass_sessions", "Sessions decided", ("outcome",))
SESSION_SECONDS = Histogram(
    "lunapass_session_seconds",
    "Time from CONNECT to the verdict",
    ["outcome"],
    buckets=(1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300),
    registry=REGISTRY,
)
VERDICT_CODES = _counter(
    "lunapass_refused_sessions", "Sessions refused, by code of the verdict", ("code",)
)
CODES = frozenset(map(int, Code))
OTHER = "other"
"""Stands for the codes of an operator's own plugins, and for kiosks above ``MAX_KIOSKS``: their
number has no bound."""
KIOSK_SESSIONS = _counter(
    "lunapass_kiosk_sessions",
    "Sessions decided whose start token names a kiosk",
    ("kiosk", "outcome"),
)
MAX_KIOSKS = 200
"""Kiosks with series of their own; each has up to three."""
_kiosks: set[str] = set()
RECEIVED = _counter("lunapass_frames_received", "Frames received")
FRAMES = _counter("lunapass_frames", "Frames answered", ("outcome", "reason"))
FRAMES_REFUSED = _counter("lunapass_frames_refused", "Frames refused before judgement", ("reason",))
UNREADABLE = "unreadable"
"""Reason of the outcome ``refused``: the frame is not an acceptable image and was not judged."""
UNKEPT = _counter("lunapass_frames_unkept", "Frames not retained until their side effects are done")
FRAME_ERRORS = (
    "empty",
    "format",
    "too-big",
    "too-many-pixels",
    "too-many-scans",
    "padding",
    "transparent",
    "undecodable",
)
"""Codes of ``FrameError`` without ``frame.``."""
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
REQUESTS_REFUSED = _counter(
    "lunapass_requests_refused", "Requests refused before a session", ("reason",)
)
WORKERS_LOST = _counter("lunapass_workers_lost", "Workers lost", ("reason",))
for outcome in ("accepted", "refused", "left"):  # a missing series would have no rate
    SESSIONS.labels(outcome)
    SESSION_SECONDS.labels(outcome)
for code in (
    Code.SESSION_FAILED,
    Code.ACTION_FAILED,
    Code.OTHER_PERSON,
    Code.VIRTUAL_CAMERA,
    Code.PLUGIN_FAILED,
    Code.REPEATED_FRAME,
    Code.TOO_MANY_REFUSALS,
    Code.IMPOSSIBLE_REACTION,
):
    VERDICT_CODES.labels(str(int(code)))
for error in FRAME_ERRORS:
    FRAMES_REFUSED.labels(f"frame.{error}")
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
work of a decoding thread. The others are waiting times of a frame: ``queue`` for a worker's credit,
``estimate`` for its estimate, ``judge`` for its judgement and, with a session store, ``store`` for
the write that releases its answer. ``answer`` is the total, from a frame's receipt to its status.
"""
RECEIVE, QUEUE, DECODE, DISPATCH, ESTIMATE, ENCODE = map(
    STEPS.step, ("receive", "queue", "decode", "dispatch", "estimate", "encode")
)
JUDGE, STORE, REPLY, ANSWER = map(STEPS.step, ("judge", "store", "reply", "answer"))
ANSWERS = Recent()
"""The step ``answer`` of the last minute."""


def decided(outcome: str, seconds: float, codes: Sequence[int], kiosk: str = "") -> None:
    """Count a session that was ``accepted`` or ``refused`` or whose client ``left``."""
    SESSIONS.labels(outcome).inc()
    SESSION_SECONDS.labels(outcome).observe(seconds)
    if outcome == "refused":
        for code in codes:
            VERDICT_CODES.labels(str(code) if code in CODES else OTHER).inc()
    if kiosk:
        KIOSK_SESSIONS.labels(_kiosk_label(kiosk), outcome).inc()


def _kiosk_label(kiosk: str) -> str:
    """Return the label of a kiosk: its name, for the first ``MAX_KIOSKS`` of them."""
    if len(_kiosks) < MAX_KIOSKS:
        _kiosks.add(kiosk)
    return kiosk if kiosk in _kiosks else OTHER


def totals(counter: Counter, label: str = "") -> dict[str, int]:
    """Return the totals of a counter by one of its labels, or under an empty name."""
    samples = next(iter(counter.collect())).samples
    return {
        sample.labels.get(label, ""): int(sample.value)
        for sample in samples
        if sample.name.endswith("_total")
    }
