"""Data of plugins and clients is limited to JSON before it goes into a status or a token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.json_data import _is_plain, json_only, parse_object
from shared.wire.protocol import Codec, Command

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=6)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(), max_size=4), ANYTHING, max_size=4))
def test_what_can_be_written_is_kept_as_it_is(data: dict[str, Any]) -> None:
    """Whatever a plugin reports, what is kept of it can be written, and reads back the same."""
    kept = json_only(data)
    assert json.loads(Codec.encode(Command.STATUS, body=kept))["body"] == kept
    assert json_only(kept) is kept


@given(ANYTHING)
def test_what_counts_as_plain_can_be_written(value: Any) -> None:
    """The check that writes nothing accepts only what both encoders write."""
    if _is_plain(value):
        assert json.loads(json.dumps(value, allow_nan=False)) == value
        assert json.loads(Codec.encode(Command.STATUS, body=value))["body"] == value


def test_values_within_themselves_are_not_plain() -> None:
    """The check ends, and the entry is dropped."""
    endless: list[Any] = []
    endless += [endless, endless]
    assert json_only({"good": 1, "bad": endless}) == {"good": 1}


@pytest.mark.parametrize("value", [float("nan"), b"bytes", "\ud800", {"a": {1, 2}}, {None: 1}])
def test_what_is_no_json_is_dropped_alone(value: object) -> None:
    """The rest of the data stays."""
    assert json_only({"good": 1, "bad": value}) == {"good": 1}


def test_a_description_of_a_client_is_an_object_or_nothing() -> None:
    """Anything else counts as no description."""
    assert parse_object('{"a": 1}') == {"a": 1}
    assert parse_object("[1]") == parse_object("{") == {}
