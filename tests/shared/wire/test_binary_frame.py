"""A binary message is read as by the WebSocket library, in whatever pieces it arrives."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]

from shared.wire.binary_frame import begin

MAX_SIZE = 100_000


def wire(
    size: int, opcode: Opcode = Opcode.BINARY, *, mask: bool = True, fin: bool = True
) -> bytes:
    """A frame as the library writes it."""
    payload = random.Random(size).randbytes(size)
    return Frame(opcode, payload, fin).serialize(mask=mask)


@given(
    st.sampled_from([0, 1, 125, 126, 65_535, 65_536, MAX_SIZE]),
    st.lists(st.integers(1, MAX_SIZE), max_size=4, unique=True),
)
def test_any_size_in_any_pieces(size: int, cuts: list[int]) -> None:
    """The payload is the client's, and no byte after the frame is consumed."""
    before, after = b"before", b"after"
    data = before + wire(size) + after
    begun = begin(data, len(before), MAX_SIZE)
    assert begun is not None
    frame, position = begun
    payload, end = random.Random(size).randbytes(size), len(data) - len(after)
    assert end - position == frame.missing == size
    for cut in sorted(position + cut for cut in cuts if position + cut < end):
        assert frame.add(data[:cut], position) == cut
        assert frame.missing == end - cut
        assert apply_mask(frame.masked, frame.mask) == payload[: size - frame.missing]
        position = cut
    assert frame.add(data, position) == end
    assert (frame.missing, apply_mask(frame.masked, frame.mask)) == (0, payload)


def test_bytes_sent_one_by_one_use_no_extra_memory() -> None:
    """Storing each piece as its own object would take a hundred times the memory."""
    data = wire(10_000)
    begun = begin(data, 0, MAX_SIZE)
    assert begun is not None
    frame, _ = begun
    for position in range(len(data) - 10_000, len(data) - 1):
        frame.add(data[position : position + 1], 0)
    assert isinstance(frame.masked, bytearray)
    assert sys.getsizeof(frame.masked) < 12_000


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(wire(10, Opcode.TEXT), id="text"),
        pytest.param(wire(10, fin=False), id="first fragment"),
        pytest.param(wire(10, Opcode.CONT), id="last fragment"),
        pytest.param(wire(10, Opcode.PING), id="ping"),
        pytest.param(wire(10, mask=False), id="not masked"),
        pytest.param(wire(200, mask=False), id="long and not masked"),
        pytest.param(b"\xc2" + wire(10)[1:], id="compressed"),
        pytest.param(wire(MAX_SIZE + 1), id="too large"),
        pytest.param(b"\x82\xff" + b"\xff" * 12, id="2**64 - 1 bytes"),
    ],
)
def test_other_frames_are_left_to_the_library(data: bytes) -> None:
    """It refuses those that are not allowed, and knows the state of the others."""
    assert begin(data, 0, MAX_SIZE) is None


@pytest.mark.parametrize("size", [1, 200, 70_000])
def test_an_incomplete_head_is_left_to_the_library(size: int) -> None:
    """Its length does not matter."""
    data = wire(size)
    head = len(data) - size
    assert [begin(data[:length], 0, MAX_SIZE) for length in range(1, head)] == [None] * (head - 1)
    assert begin(data[:head], 0, MAX_SIZE) is not None
