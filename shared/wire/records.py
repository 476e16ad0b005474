"""Types of message fields, and the records of a session's log that messages carry."""

from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from shared.frame.best_shot import BestShot

MAX_ESTIMATE_BYTES = 65_536

Name = Annotated[str, Meta(max_length=256)]
SessionId = Annotated[str, Meta(min_length=32, max_length=32)]
NewSessionId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""Validated once, when a session opens; later messages only look the session up by its id."""
PackedEstimate = Annotated[bytes, Meta(max_length=MAX_ESTIMATE_BYTES)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Pairs = Annotated[tuple[tuple[Natural, Natural], ...], Meta(max_length=256)]
Answers = Annotated[
    tuple[Annotated[bytes, Meta(max_length=16_384)] | None, ...], Meta(max_length=8)
]
"""Answers of external services to the plugins' questions about one frame; None for no answer."""


class Judged(NamedTuple):
    """A judged frame in a session's log: all that a replay of its judgement needs.

    Attributes:
        seq: number of the frame.
        at: time of its arrival: wall time of the opening, plus the time elapsed since then on a
            monotonic clock.
        wall: wall time of its arrival, for the token; None means ``at``.
        prompted: time at which the answer to the frame before was sent, on the clock of ``at``;
            None if another process sent it.
    """

    seq: int
    at: float
    estimate: bytes
    answers: Answers = ()
    wall: float | None = None
    prompted: float | None = None


END = 2**62
"""Stands for a session's end where a frame number is expected; above every frame number."""


class History(Struct, frozen=True, array_like=True):
    """A session as the aggregator has it, with its packed ``Open`` message."""

    opened: bytes
    judged: list[Judged]
    kept: BestShot | None
