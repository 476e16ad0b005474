"""Messages between the roles: one struct each, MessagePack on the wire, validated on receipt.

A message is one ZeroMQ part, ``[name, field, field, ...]``, packed and checked by msgspec: between
two frames the processor's caches are emptied, so what counts is how much code and data a message
touches. What a role merely forwards (a packed estimate, the encoded frame, the text of an answer)
is bytes in it. The order of the fields is the contract; both ends always run one version.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from shared.errors import MessageError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Capabilities, Estimate, Finite, Profile, Rotation

MAX_MESSAGE_BYTES = 2**28
"""Ten times what the longest log of a session comes to, with its descriptors and best shot."""
MAX_ESTIMATE_BYTES = 65_536

Kind = TypeVar("Kind")

Name = Annotated[str, Meta(max_length=256)]
SessionId = Annotated[str, Meta(min_length=32, max_length=32)]
NewSessionId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""Checked once, where a session begins; later messages find a session by its id or do not."""
PackedEstimate = Annotated[bytes, Meta(max_length=MAX_ESTIMATE_BYTES)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Pairs = Annotated[tuple[tuple[Natural, Natural], ...], Meta(max_length=256)]
Answers = Annotated[
    tuple[Annotated[bytes, Meta(max_length=16_384)] | None, ...], Meta(max_length=8)
]
"""What the outside answered to the plugins' questions about one frame; None for no answer."""


class Judged(NamedTuple):
    """A judged frame in a session's log: all that a replay of its judgement needs.

    Attributes:
        seq: number of the frame.
        at: time of its arrival in the session: wall time of the opening, and what had passed since
            then on a monotonic clock.
        estimate: the packed estimate.
        answers: what the outside answered.
        wall: wall time of its arrival, for the token; None is ``at``.
    """

    seq: int
    at: float
    estimate: bytes
    answers: Answers = ()
    wall: float | None = None


END = 2**62
"""Number that stands for a session's end; above every frame's."""


class History(Struct, frozen=True, array_like=True):
    """A session as the aggregator remembers it.

    Attributes:
        opened: the packed event that began it.
        judged: the log of its frames.
        kept: the best shot so far.
    """

    opened: bytes
    judged: list[Judged]
    kept: BestShot | None


class Wire(Struct, frozen=True, array_like=True, tag=True):
    """A message; its first element is its name."""


# Worker -> gateway


class Ready(Wire, frozen=True):
    """A worker is warm and gives its credit; sent again whenever it maps a new slab."""

    name: Name
    pid: Natural
    credit: Annotated[int, Meta(ge=1, le=64)]
    capabilities: Capabilities
    slab: Annotated[str, Meta(max_length=64)] = ""


class Alive(Wire, frozen=True):
    """A worker's sign of life while it has no job."""


class Done(Wire, frozen=True):
    """A job is finished. Returns one credit.

    ``passed`` tells whether the estimate has no errors.
    """

    lease: Natural
    slot: Natural
    generation: Natural
    passed: bool
    estimate: PackedEstimate


class Leaving(Wire, frozen=True):
    """A worker finishes what it holds and wants no more jobs."""


# Worker or aggregator -> gateway


class Account(Wire, frozen=True):
    """What a process has done and used since it began; told once a second.

    Attributes:
        cpu: processor time in seconds.
        memory: resident bytes.
        steps: total seconds of each step, and pairs of a bucket of
            ``shared.process.accounts.BOUNDS`` and its count.
        codes: pairs of a code and how often a frame was judged with each code.
    """

    name: Name
    pid: Natural
    cpu: Finite
    memory: Natural
    steps: Annotated[dict[Name, tuple[Finite, Pairs]], Meta(max_length=64)]
    codes: Pairs


# Gateway -> worker


class SlabOffer(Wire, frozen=True):
    """Where the gateway hands its slab over; the worker maps it and answers ``Ready``.

    Attributes:
        path: of the socket.
        slab: name in the slab's head.
        inode: the kernel's number of its memory.
    """

    path: Annotated[str, Meta(max_length=512)]
    slab: Annotated[str, Meta(max_length=64)]
    inode: Natural


class Job(Wire, frozen=True):
    """Estimate the frame in a slot.

    Attributes:
        deadline: seconds of the monotonic clock.
        rotation: degrees by which the gateway turned the picture; it belongs into the estimate.
    """

    lease: Natural
    slot: Natural
    generation: Natural
    session: SessionId
    seq: Natural
    profile: Profile
    mirrored: bool
    deadline: Finite
    rotation: Rotation = 0


# Gateway -> aggregator; ``incarnation`` is that of the aggregator the gateway believes to speak to


class GatewayHello(Wire, frozen=True):
    """A gateway is there; repeated as its sign of life."""

    gateway: Name


class Open(Wire, frozen=True):
    """A session begins. ``at`` is in seconds of the epoch; ``seed`` feeds the plugins' chance.

    In a replay, ``settled`` is the last frame (or ``END``) whose side effects are done, and
    ``plugins`` is what ``Opened`` told.

    ``term`` counts the gateways that have had the session, from 1: each that takes it over from
    another raises it. With ``commits`` the verdict counts only once ``Commit`` comes.

    ``elapsed`` is how many seconds had passed since ``at`` when this was sent. ``beginner`` is a
    keyed digest of the address that began the session, so that no record names the address.
    """

    incarnation: Name
    session: NewSessionId
    at: Finite
    seed: Natural
    token_digest: Digest
    mirrored: bool = False
    client: Annotated[str, Meta(max_length=8192)] = "{}"
    replay: bool = False
    settled: Natural = 0
    plugins: Name = ""
    term: Annotated[int, Meta(ge=1, le=2**62)] = 1
    commits: bool = False
    elapsed: Finite = 0.0
    beginner: Annotated[str, Meta(max_length=32)] = ""


class Judge(Wire, frozen=True):
    """One estimate and the frame's pictures. A replay may lack both pictures.

    Attributes:
        received: what the client sent; left out where no plugin looks at it.
        shot: the judged pixels as JPEG, of a frame that passed every check of the worker.
        answers: those that an earlier judgement of the frame was given; none is asked again.
        wall: as in ``Judged``.
    """

    incarnation: Name
    session: SessionId
    seq: Natural
    at: Finite
    estimate: PackedEstimate
    received: bytes | None = None
    shot: BestShot | None = None
    replay: bool = False
    answers: Answers = ()
    wall: Finite | None = None


class Resume(Wire, frozen=True):
    """A client came back to a gateway that does not know its session."""

    incarnation: Name
    session: SessionId
    token_digest: Digest


class Close(Wire, frozen=True):
    """A session is over for the reason given; without a verdict so far it has failed."""

    incarnation: Name
    session: SessionId
    at: Finite
    reason: Name


class Commit(Wire, frozen=True):
    """The verdict of a session is released to its client, so its end may be announced."""

    incarnation: Name
    session: SessionId


class Forget(Wire, frozen=True):
    """A session has gone on at another gateway, which alone gives its verdict."""

    incarnation: Name
    session: SessionId


# Aggregator -> gateway


class Welcome(Wire, frozen=True):
    """The aggregator's answer to ``GatewayHello``; a new ``incarnation`` asks for a replay."""

    incarnation: Name
    pid: Natural


class Opened(Wire, frozen=True):
    """A session is known; ``profile`` is that of its first frame.

    ``plugins`` tells by which plugins, as they are configured, it is judged.
    """

    session: SessionId
    profile: Profile
    plugins: Name = ""


class Verdict(Wire, frozen=True):
    """Judgement of one frame (or, with ``seq`` 0, of the session's end).

    ``status`` is the text of STATUS for the client, ``result`` that of RESULT when ``final``.
    ``answers`` belong into the log, beside the estimate. ``low_liveness`` tells that the frame was
    refused for its liveness score.
    """

    session: SessionId
    seq: Natural
    profile: Profile
    status: str
    keep: bool = False
    final: bool = False
    accepted: bool = False
    answers: Answers = ()
    result: str | None = None
    low_liveness: bool = False


class Resumed(Wire, frozen=True):
    """What is remembered of a session; nothing of an unknown one, or for a wrong token.

    ``result`` is the text of RESULT where the verdict is already given. ``elapsed`` is how many
    seconds had passed since the opening when this was sent.
    """

    session: SessionId
    token_digest: Digest
    history: History | None = None
    profile: Profile = Profile.PASSIVE
    settled: Natural = 0
    result: str | None = None
    elapsed: Finite = 0.0


class SinkHealth(Wire, frozen=True):
    """How a side-effect plugin fares: what it gave up since its start, and what waits, in bytes."""

    name: Name
    dropped: Natural
    waiting: Natural
    disabled: bool


class Settled(Wire, frozen=True):
    """Up to which frame (or ``END``) the side effects of sessions are done, or given up."""

    marks: tuple[tuple[SessionId, Natural], ...]
    health: tuple[SinkHealth, ...]


Message = (
    Ready
    | Alive
    | Done
    | Leaving
    | Account
    | SlabOffer
    | Job
    | GatewayHello
    | Open
    | Judge
    | Resume
    | Close
    | Commit
    | Forget
    | Welcome
    | Opened
    | Verdict
    | Resumed
    | Settled
)


def _plain(value: object) -> Any:
    """Numbers of numpy, as measures may be, in the form of Python's.

    Raises:
        NotImplementedError: it is something else.
    """
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value).__name__)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_MESSAGE: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_ESTIMATE = msgspec.msgpack.Decoder(Estimate)


def encode(message: Message | Estimate) -> bytes:
    """Pack a message or an estimate."""
    return _ENCODER.encode(message)


def decode(data: bytes) -> Message:
    """Unpack and validate a message.

    Raises:
        MessageError: the bytes are not a message of this module.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageError(f"message of {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    return _unpack(_MESSAGE, data, "message")


def decode_estimate(data: bytes) -> Estimate:
    """Unpack and validate an estimate.

    Raises:
        MessageError: the bytes are not an estimate.
    """
    return _unpack(_ESTIMATE, data, "estimate")


def _unpack(decoder: msgspec.msgpack.Decoder[Kind], data: bytes, what: str) -> Kind:
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as error:  # msgspec's own; text not UTF-8; too deep
        raise MessageError(f"{what}: {str(error)[:200]}") from error
