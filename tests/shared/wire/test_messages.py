"""Messages between roles: they survive a round trip, and invalid ones raise only MessageError."""

from __future__ import annotations

from typing import get_args

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MessageError
from shared.frame.estimation import Box, Capabilities, Estimate, Liveness, Profile, Stage
from shared.wire.messages import (
    Account,
    Alive,
    Close,
    Commit,
    Done,
    Forget,
    GatewayHello,
    Job,
    Judge,
    Judgement,
    Leaving,
    Message,
    Missing,
    Open,
    Opened,
    Ready,
    Resume,
    Resumed,
    Settled,
    SinkHealth,
    SlabOffer,
    Welcome,
    decode,
    decode_estimate,
    encode,
)
from shared.wire.records import END, History, Judged
from tests.support.judge import shot

SESSION = "0" * 32
MESSAGES: list[Message] = [
    Job(1, 2, 3, SESSION, 4, Profile.ACTIVE, True, 5.0),
    Done(1, 2, 3, True, b"estimate"),
    Ready("w", 1, 2, Capabilities(True, False, "x")),
    Open("i", SESSION, 1.0, 2, bytes(32)),
    Judgement(SESSION, 1, Profile.PASSIVE, "{}", final=True),
    Alive(),
    Leaving(),
    Account("w", 1, 2.5, 3, {"job": (0.5, ((1, 2),))}, ((32, 4),)),
    SlabOffer("/run/slab", "slab", 7),
    GatewayHello("g"),
    Judge("i", SESSION, 1, 2.0, b"estimate", b"\xff\xd8", shot(1), answers=(b"yes", None)),
    Resume("i", SESSION, bytes(32)),
    Close("i", SESSION, 1.0, "left"),
    Commit("i", SESSION),
    Forget("i", SESSION),
    Welcome("i", 1),
    Opened(SESSION, Profile.ACTIVE),
    Missing(SESSION),
    Resumed(SESSION, bytes(32), History(b"open", [Judged(1, 1.0, b"estimate")], shot(1))),
    Settled(((SESSION, END),), (SinkHealth("FileLogger", 1, 2, False),)),
]

ESTIMATE = Estimate(
    640,
    480,
    Profile.PASSIVE,
    Stage.LIVENESS,
    (32,),
    face=Box(-1, 2, 3, 4),
    pixels=bytes(range(16)),
    liveness=Liveness(0.1, 1.0),
    timings={"faces": 1.5},
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message: Message) -> None:
    """Encoding and decoding returns an equal message."""
    assert decode(encode(message)) == message


def test_every_message_is_plain_messagepack() -> None:
    """The package msgpack can read and write each of them."""
    assert {type(message) for message in MESSAGES} == set(get_args(Message))
    for message in MESSAGES:
        plain = msgpack.unpackb(encode(message), strict_map_key=False)
        assert plain[0] == type(message).__name__
        assert msgspec.convert(plain, Message) == message
        assert decode(msgpack.packb(plain)) == message
    plain = msgpack.unpackb(encode(ESTIMATE))
    assert msgspec.convert(plain, Estimate) == ESTIMATE
    assert decode_estimate(msgpack.packb(plain)) == ESTIMATE


def test_an_estimate_survives_a_round_trip() -> None:
    """All its fields are unchanged."""
    assert decode_estimate(encode(ESTIMATE)) == ESTIMATE


@given(st.binary(max_size=200))
def test_noise_is_a_message_error(data: bytes) -> None:
    """Any bytes give a message or a MessageError."""
    with pytest.raises(MessageError):
        decode(data)
    with pytest.raises(MessageError):
        decode_estimate(data)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Alive", None),
        ("Done", [-1, 1, 1, True, b""]),
        ("Done", [1, 1]),
        ("Done", [1, 1, 1, True, bytes(65_537)]),
        ("Done", [1, 1, 1, 1, b""]),
        ("Open", ["i", SESSION[:-1] + "\n", 1.0, 2, bytes(32)]),
        ("Open", ["i", "../" * 10 + "ab", 1.0, 2, bytes(32)]),
        ("Open", ["i", SESSION, float("inf"), 2, bytes(32)]),
        ("Ready", ["x" * 999, 1, 1, {}]),
        ("Nonsense", []),
    ],
)
def test_wrong_fields_are_a_message_error(name: str, fields: list[object] | None) -> None:
    """A worker cannot send values that the type does not allow."""
    packed = msgspec.msgpack.encode({name: 1} if fields is None else [name, *fields])
    with pytest.raises(MessageError):
        decode(packed)


@pytest.mark.parametrize("level", [b"\x91", b"\x81\x01"], ids=["lists", "maps"])
def test_depth_is_a_message_error(level: bytes) -> None:
    """This includes unknown fields, which the decoder only skips.

    Python 3.14 limits the stack in bytes, which fits some 100,000 levels.
    """
    deep = level * 2_000_000 + b"\0"
    with pytest.raises(MessageError):
        decode(b"\x92\xa5Alive" + deep)
    with pytest.raises(MessageError):
        decode_estimate(b"\x81\xa1x" + deep)


def test_a_nan_score_is_refused() -> None:
    """NaN compares false with every threshold and must never be accepted."""
    estimate = Estimate(640, 480, liveness=Liveness(float("nan"), 1.0))
    with pytest.raises(MessageError):
        decode_estimate(encode(estimate))


def test_measurements_may_be_numpy_numbers() -> None:
    """A backend may return scalars of its arrays."""
    measured = Estimate(640, 480, faces=np.int64(1), ags=np.float32(0.5))  # type: ignore[arg-type]
    read = decode_estimate(encode(measured))
    assert (read.faces, read.ags) == (1, 0.5)
    assert type(read.faces) is int


def test_a_log_survives_a_round_trip() -> None:
    """An aggregator's history is unchanged, including external answers."""
    judged = [Judged(1, 1.0, b"estimate"), Judged(2, 2.0, b"", (b"yes", None))]
    resumed = Resumed(SESSION, bytes(32), History(b"open", judged, shot(2)), settled=1)
    assert decode(encode(resumed)) == resumed
