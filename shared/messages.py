"""Messages between the roles: one dataclass each, MessagePack on the wire, validated on receipt.

A message is one ZeroMQ part, ``[name, fields]``. Bulk data (an estimate that only passes through,
the encoded frame, the answer's text) travels as further parts, so that a role never unpacks what
it merely forwards. Field order and names are the contract; both ends always run one version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import msgpack
from pydantic import Field, TypeAdapter, ValidationError

from shared.errors import MessageError
from shared.estimation import Capabilities, Estimate, Finite, Profile

MAX_MESSAGE_BYTES = 262_144

Name = Annotated[str, Field(max_length=256)]
SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[bytes, Field(min_length=32, max_length=32)]
Natural = Annotated[int, Field(ge=0, le=2**63 - 1)]
Pairs = Annotated[tuple[tuple[Natural, Natural], ...], Field(max_length=256)]
Answers = Annotated[
    tuple[Annotated[bytes, Field(max_length=16_384)] | None, ...], Field(max_length=8)
]
"""What the outside answered to the plugins' questions about one frame; None for no answer."""


class Judged(NamedTuple):
    """A judged frame in a session's log: all that a replay of its judgement needs."""

    seq: int
    at: float
    estimate: bytes
    answers: Answers = ()


END = 2**62
"""Number that stands for a session's end; above every frame's."""


# Worker -> gateway


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker is warm and gives its credit; sent again whenever it maps a new slab."""

    name: Name
    pid: Natural
    credit: Annotated[int, Field(ge=1, le=64)]
    capabilities: Capabilities
    slab: Annotated[str, Field(max_length=64)] = ""


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker's sign of life while it has no job."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job is finished; part two is the estimate. Returns one credit.

    ``passed`` tells whether the estimate has no errors. A worker of an earlier version, still there
    in the middle of an upgrade, does not tell; its frames are taken for passed, so that their
    pictures are at hand.
    """

    lease: Natural
    slot: Natural
    generation: Natural
    passed: bool = True


@dataclass(frozen=True, slots=True)
class Leaving:
    """A worker finishes what it holds and wants no more jobs."""


# Worker or aggregator -> gateway


@dataclass(frozen=True, slots=True)
class Account:
    """What a process has done and used since it began; told once a second.

    Attributes:
        cpu: processor time in seconds.
        memory: resident bytes.
        steps: total seconds of each step, and pairs of a bucket of
            ``shared.accounts.BOUNDS`` and its count.
        codes: pairs of a code and how often a frame was judged with each code.
    """

    name: Name
    pid: Natural
    cpu: Finite
    memory: Natural
    steps: Annotated[dict[Name, tuple[Finite, Pairs]], Field(max_length=64)]
    codes: Pairs


# Gateway -> worker


@dataclass(frozen=True, slots=True)
class SlabOffer:
    """Where the gateway's slab is; the worker maps it and answers ``Ready``."""

    path: Annotated[str, Field(max_length=512)]
    slab: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class Job:
    """Estimate the frame in a slot. ``deadline`` is in seconds of the monotonic clock."""

    lease: Natural
    slot: Natural
    generation: Natural
    session: SessionId
    seq: Natural
    profile: Profile
    mirrored: bool
    deadline: Finite


# Gateway -> aggregator; ``incarnation`` is that of the aggregator the gateway believes to speak to


@dataclass(frozen=True, slots=True)
class GatewayHello:
    """A gateway is there; repeated as its sign of life."""

    gateway: Name


@dataclass(frozen=True, slots=True)
class Open:
    """A session begins. ``at`` is in seconds of the epoch; ``seed`` feeds the plugins' chance.

    In a replay, ``settled`` is the last frame (or ``END``) whose side effects are done, and
    ``plugins`` is what ``Opened`` told.
    """

    incarnation: Name
    session: SessionId
    at: Finite
    seed: Natural
    token_digest: Digest
    mirrored: bool = False
    client: Annotated[str, Field(max_length=8192)] = "{}"
    replay: bool = False
    settled: Natural = 0
    plugins: Name = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """One estimate (part two) and the encoded frame (part three).

    The frame is left out where nobody looks at it, and a replay may lack it.

    ``answers`` are those that an earlier judgement of the frame was given; none is asked again.
    """

    incarnation: Name
    session: SessionId
    seq: Natural
    at: Finite
    replay: bool = False
    answers: Answers = ()


@dataclass(frozen=True, slots=True)
class Resume:
    """A client came back to a gateway that does not know its session."""

    incarnation: Name
    session: SessionId
    token_digest: Digest


@dataclass(frozen=True, slots=True)
class Close:
    """A session is over for the reason given; without a verdict so far it has failed."""

    incarnation: Name
    session: SessionId
    at: Finite
    reason: Name


@dataclass(frozen=True, slots=True)
class Forget:
    """A session has gone on at another gateway, which alone gives its verdict."""

    incarnation: Name
    session: SessionId


# Aggregator -> gateway


@dataclass(frozen=True, slots=True)
class Welcome:
    """The aggregator's answer to ``GatewayHello``; a new ``incarnation`` asks for a replay."""

    incarnation: Name
    pid: Natural


@dataclass(frozen=True, slots=True)
class Opened:
    """A session is known; ``profile`` is that of its first frame.

    ``plugins`` tells by which plugins, as they are configured, it is judged.
    """

    session: SessionId
    profile: Profile
    plugins: Name = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judgement of one frame (or, with ``seq`` 0, of the session's end).

    Part two is the text of STATUS for the client; when ``final``, part three is that of RESULT.
    ``answers`` belong into the log, beside the estimate.
    """

    session: SessionId
    seq: Natural
    profile: Profile
    keep: bool = False
    final: bool = False
    accepted: bool = False
    answers: Answers = ()


@dataclass(frozen=True, slots=True)
class Resumed:
    """The stored log of a session; ``found`` is False for an unknown session or a wrong token.

    Part two is a packed list ``[open, [Judged, ...], kept_seq, kept_frame]``;
    part three, when the verdict is already given, the text of RESULT.
    """

    session: SessionId
    token_digest: Digest
    found: bool
    profile: Profile = Profile.PASSIVE
    final: bool = False
    settled: Natural = 0


@dataclass(frozen=True, slots=True)
class SinkHealth:
    """How a side-effect plugin fares: what it gave up since its start, and what waits, in bytes."""

    name: Name
    dropped: Natural
    waiting: Natural
    disabled: bool


@dataclass(frozen=True, slots=True)
class Settled:
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
    | Forget
    | Welcome
    | Opened
    | Verdict
    | Resumed
    | Settled
)

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in Message.__args__
}
_ESTIMATE: TypeAdapter[Estimate] = TypeAdapter(Estimate)


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _unpack(data: bytes) -> Any:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageError(f"message of {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        return msgpack.unpackb(data, use_list=False, strict_map_key=True)
    except Exception as error:  # msgpack raises many kinds; all mean the same here
        raise MessageError(f"message is not MessagePack: {type(error).__name__}") from error


def encode(message: Message) -> bytes:
    """Pack a message."""
    name = type(message).__name__
    return _pack((name, _ADAPTERS[name].dump_python(message)))


def decode(data: bytes) -> Message:
    """Unpack and validate a message.

    Raises:
        MessageError: the bytes are not a message of this module.
    """
    unpacked = _unpack(data)
    if not (isinstance(unpacked, tuple) and len(unpacked) == 2 and isinstance(unpacked[0], str)):
        raise MessageError("message is not a pair of name and fields")
    adapter = _ADAPTERS.get(unpacked[0])
    if adapter is None:
        raise MessageError(f"unknown message {unpacked[0][:40]!r}")
    try:
        message: Message = adapter.validate_python(unpacked[1])
    except ValidationError as error:
        raise MessageError(
            f"message {unpacked[0]}: {error.error_count()} invalid fields"
        ) from error
    return message


def encode_estimate(estimate: Estimate) -> bytes:
    """Pack an estimate."""
    return _pack(_ESTIMATE.dump_python(estimate))


def decode_estimate(data: bytes) -> Estimate:
    """Unpack and validate an estimate.

    Raises:
        MessageError: the bytes are not an estimate.
    """
    unpacked = _unpack(data)
    try:
        return _ESTIMATE.validate_python(unpacked)
    except ValidationError as error:
        raise MessageError(f"estimate: {error.error_count()} invalid fields") from error
