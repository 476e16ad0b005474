"""Messages between the roles: one struct each, MessagePack on the wire, validated on receipt.

A message is one ZeroMQ part, ``[name, field, field, ...]``, packed and validated by msgspec. A role
that only forwards a part (a packed estimate, an encoded frame, the text of an answer) gets it as
bytes and does not decode it. The order of the fields is the contract; both ends run one version.
"""

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from shared.errors import MessageError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Capabilities, Estimate, Finite, Profile, Rotation
from shared.wire.records import (
    Answers,
    Digest,
    History,
    Name,
    Natural,
    NewSessionId,
    PackedEstimate,
    Pairs,
    SessionId,
)

MAX_MESSAGE_BYTES = 2**28
"""Ten times the size of the longest session log, with its descriptors and best shot."""


class Wire(Struct, frozen=True, array_like=True, tag=True):
    """Base of all messages; the first element of the array is the class name."""


# Worker -> gateway


class Ready(Wire, frozen=True):
    """A worker is ready and grants its credit; sent again after mapping a new slab."""

    name: Name
    pid: Natural
    credit: Annotated[int, Meta(ge=1, le=64)]
    capabilities: Capabilities
    slab: Annotated[str, Meta(max_length=64)] = ""


class Alive(Wire, frozen=True):
    """Heartbeat of a worker without a job."""


class Done(Wire, frozen=True):
    """A job is finished. Returns one credit; ``passed`` means the estimate has no errors.

    ``score`` is the liveness score, None without one. ``early`` means that a quick look at the next
    frame pays: ``Estimate.refused_early``, unless a quick look at this one was in vain.
    """

    lease: Natural
    slot: Natural
    generation: Natural
    passed: bool
    estimate: PackedEstimate
    score: Finite | None = None
    early: bool = False


class Leaving(Wire, frozen=True):
    """A worker finishes the jobs it has and accepts no more."""


# Worker or aggregator -> gateway


class Account(Wire, frozen=True):
    """Durations and resource use of a process since its start; sent once a second.

    ``cpu`` is in seconds, ``memory`` in resident bytes. ``steps`` has total seconds and bucket
    counts (``shared.process.accounts.BOUNDS``) of each step, ``codes`` the frames that got a code,
    ``scores`` the total and the bucket counts (``SCORE_BOUNDS``) of the liveness scores.
    """

    name: Name
    pid: Natural
    cpu: Finite
    memory: Natural
    steps: Annotated[dict[Name, tuple[Finite, Pairs]], Meta(max_length=64)]
    codes: Pairs
    scores: tuple[Finite, Pairs] = (0.0, ())


# Gateway -> worker


class SlabOffer(Wire, frozen=True):
    """Where a worker gets the gateway's slab; it maps the slab and answers ``Ready``.

    ``path`` is that of the socket, ``slab`` the name in the slab's header, ``inode`` its memory's.
    """

    path: Annotated[str, Meta(max_length=512)]
    slab: Annotated[str, Meta(max_length=64)]
    inode: Natural


class Job(Wire, frozen=True):
    """Estimate the frame in a slot, before ``deadline`` (seconds of the monotonic clock).

    ``rotation`` is how far the gateway rotated the image, in degrees; it goes into the estimate.
    ``quick`` tries a quick look first, because the frame will probably be refused.
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
    quick: bool = False


# Gateway -> aggregator; ``incarnation`` names the aggregator that the message is meant for


class GatewayHello(Wire, frozen=True):
    """A gateway is running; repeated as its heartbeat."""

    gateway: Name


MAX_START_CHARS = 4096
"""Characters of ``Open.start``. The gateway checks them: msgspec does only when it decodes."""


class Open(Wire, frozen=True):
    """A session opens.

    Attributes:
        at: Unix time of the opening, in seconds.
        settled: in a replay, the last frame (or ``END``) whose side effects are done.
        plugins: in a replay, ``Opened.plugins``.
        term: number of gateways that have owned the session, from 1; each take-over raises it.
        commits: the verdict takes effect only with ``Commit``.
        elapsed: seconds since ``at`` when this was sent.
        opener: keyed digest of the client's address, so that no record contains the address.
        start: claims of the start token that go into the verdict's token, as JSON.
        start_id: the claim ``jti`` of the start token; empty if none is required.
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
    opener: Annotated[str, Meta(max_length=32)] = ""
    start: Annotated[str, Meta(max_length=MAX_START_CHARS)] = "{}"
    start_id: Annotated[str, Meta(max_length=256)] = ""


class OfSession(Wire, frozen=True):
    """Base of the messages about an open session."""

    incarnation: Name
    session: SessionId


class Judge(OfSession, frozen=True):
    """One estimate and the frame's images. A replay may lack both images.

    Attributes:
        received: the client's file; None if no plugin uses it.
        shot: the judged pixels as JPEG, if the frame passed and may become the best shot.
        answers: answers from an earlier judgement of the frame; these questions are not repeated.
        wall: wall time of the frame's arrival, for the token's ``iat``.
        prompted: session time at which the answer to the frame before was sent; None if unknown.
        after: number of the judged frame before it; 0 for the first.
    """

    seq: Natural
    at: Finite
    estimate: PackedEstimate
    received: bytes | None = None
    shot: BestShot | None = None
    replay: bool = False
    answers: Answers = ()
    wall: Finite | None = None
    prompted: Finite | None = None
    after: Natural = 0


class Resume(OfSession, frozen=True):
    """A client resumes a session that its gateway does not know."""

    token_digest: Digest


class Close(OfSession, frozen=True):
    """A session is over; without a verdict it has failed. ``after`` is as in ``Judge``."""

    at: Finite
    reason: Name
    after: Natural = 0


class Commit(OfSession, frozen=True):
    """The verdict of a session is stored; its side effects may start."""


class Forget(OfSession, frozen=True):
    """Drop the session without side effects: it was taken over, or its answers were not stored."""


# Aggregator -> gateway


class Welcome(Wire, frozen=True):
    """The aggregator's answer to ``GatewayHello``; a new ``incarnation`` requires a replay."""

    incarnation: Name
    pid: Natural


class Opened(Wire, frozen=True):
    """A session is open; ``profile`` is for its first frame, ``plugins`` the plugins' digest."""

    session: SessionId
    profile: Profile
    plugins: Name = ""


class Missing(Wire, frozen=True):
    """Answer to ``Judge`` or ``Close`` if the session, or frames of its log, are not here.

    The gateway replays it.
    """

    session: SessionId


class Judgement(Wire, frozen=True):
    """Judgement of one frame or, with ``seq`` 0, of the session's end.

    ``status`` and, if ``final``, ``result`` are the texts for the client. ``answers`` go into the
    log. ``low_liveness`` means the frame was refused for its liveness score. ``best_score`` is the
    liveness score of the best shot if the next frame's image is used only with a higher one.
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
    best_score: Finite | None = None


class Resumed(Wire, frozen=True):
    """Answer to ``Resume``; ``history`` is None if the session is unknown or the token is wrong.

    ``result`` is the text of RESULT if there is a verdict; ``elapsed`` is as in ``Open``.
    """

    session: SessionId
    token_digest: Digest
    history: History | None = None
    profile: Profile = Profile.PASSIVE
    settled: Natural = 0
    result: str | None = None
    elapsed: Finite = 0.0


class SinkHealth(Wire, frozen=True):
    """State of a side-effect plugin: events dropped since its start, and bytes waiting."""

    name: Name
    dropped: Natural
    waiting: Natural
    disabled: bool


class Settled(Wire, frozen=True):
    """For each session the last frame (or ``END``) whose side effects are done or given up."""

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
    | Missing
    | Judgement
    | Resumed
    | Settled
)


def _plain(value: object) -> Any:
    """Convert a number of numpy, which measures may be, to one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value).__name__)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_INVALID = ValueError, RecursionError  # invalid message or UTF-8; nested too deeply
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
        raise MessageError(f"message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        return _MESSAGE.decode(data)
    except _INVALID as error:
        raise MessageError(f"message: {str(error)[:200]}") from error


def decode_estimate(data: bytes) -> Estimate:
    """Unpack and validate an estimate.

    Raises:
        MessageError: the bytes are not an estimate.
    """
    try:
        return _ESTIMATE.decode(data)
    except _INVALID as error:
        raise MessageError(f"estimate: {str(error)[:200]}") from error
