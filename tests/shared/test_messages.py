"""Messages between roles: a round trip keeps them, and malformed ones are MessageError only."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MessageError
from shared.estimation import Box, Capabilities, Estimate, Liveness, Profile, Stage
from shared.messages import (
    Done,
    Job,
    Message,
    Open,
    Ready,
    Verdict,
    decode,
    decode_estimate,
    encode,
    encode_estimate,
)

SESSION = "0" * 32
MESSAGES: list[Message] = [
    Job(1, 2, 3, SESSION, 4, Profile.ACTIVE, True, 5.0),
    Done(1, 2, 3),
    Ready("w", 1, 2, Capabilities(True, False, "x")),
    Open("i", SESSION, 1.0, 2, bytes(32)),
    Verdict(SESSION, 1, Profile.PASSIVE, final=True),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message: Message) -> None:
    """What is encoded is decoded to the same."""
    assert decode(encode(message)) == message


def test_an_estimate_survives() -> None:
    """All its fields come back."""
    estimate = Estimate(
        640,
        480,
        Profile.PASSIVE,
        Stage.LIVENESS,
        (32,),
        face=Box(-1, 2, 3, 4),
        liveness=Liveness(0.1, 1.0),
        timings={"faces": 1.5},
    )
    assert decode_estimate(encode_estimate(estimate)) == estimate


@given(st.binary(max_size=200))
def test_noise_is_a_message_error(data: bytes) -> None:
    """No bytes make the decoder raise anything else."""
    with pytest.raises(MessageError):
        decode(data)
    with pytest.raises(MessageError):
        decode_estimate(data)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Job", {"lease": -1}),
        ("Done", {"lease": 1, "slot": 1}),
        ("Ready", {"name": "x" * 999, "pid": 1, "credit": 1}),
        ("Nonsense", {}),
    ],
)
def test_wrong_fields_are_a_message_error(name: str, fields: dict[str, object]) -> None:
    """A worker cannot smuggle in what the type does not allow."""
    with pytest.raises(MessageError):
        decode(msgpack.packb((name, fields)))


def test_a_score_that_is_no_number_is_refused() -> None:
    """NaN compares false with every threshold and must never get that far."""
    estimate = Estimate(640, 480, liveness=Liveness(float("nan"), 1.0))
    with pytest.raises(MessageError):
        decode_estimate(encode_estimate(estimate))
