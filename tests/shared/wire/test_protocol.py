"""The codec: any input is a message or a ProtocolError with a close code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire.protocol import (
    CLIENT_COMMANDS,
    Codec,
    Command,
    Frame,
    ProtocolError,
    Text,
    depth_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(sorted(CLIENT_COMMANDS)),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=4),
    st.text(max_size=20),
)
def test_round_trip(command: Command, headers: dict[str, int], body: str) -> None:
    """Encoding and decoding returns an equal message."""
    assert Codec().decode(Codec.encode(command, headers, body)) == Text(command, headers, body)


@given(st.text())
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    """No other exception is raised."""
    with pytest.raises(ProtocolError) as caught:
        Codec().decode(text)
    assert caught.value.close_code


@given(JSON)
def test_any_json_is_a_message_or_a_protocol_error(value: object) -> None:
    """Values of a wrong shape have an error code."""
    with pytest.raises(ProtocolError):
        Codec().decode(json.dumps({"command": value, "headers": {}}))


@given(JSON)
def test_depth_counts_objects_and_lists(value: object) -> None:
    """It equals the plain recursive definition."""

    def depth(item: object) -> int:
        if isinstance(item, dict):
            return 1 + max(map(depth, item.values()), default=0)
        if isinstance(item, list):
            return 1 + max(map(depth, item), default=0)
        return 0

    assert depth_of(value) == depth(value)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1.5e309", f"1{'0' * 400}.0", "NaN"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    """Python accepts infinities and would write them to records, which are then not JSON."""
    message = '{"command": "CONNECT", "headers": {"client": {"a": %s}}}'
    with pytest.raises(ProtocolError) as refused:
        Codec().decode(message % number)
    assert refused.value.code == "message.not-json"
    assert Codec().decode(message % "-1e300") == Text(Command.CONNECT, {"client": {"a": -1e300}})


def test_server_commands_are_not_accepted_from_clients() -> None:
    """A client cannot send RESULT."""
    with pytest.raises(ProtocolError, match="unknown command"):
        Codec().decode(Codec.encode(Command.RESULT))


def test_bytes_are_a_frame() -> None:
    """A binary message is an image and nothing else."""
    assert Codec().decode(b"abc") == Frame(b"abc")
