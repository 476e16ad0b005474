"""Data of plugins and clients is reduced to valid JSON before it enters a status or a token."""

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
def test_retained_data_survives_a_round_trip(data: dict[str, Any]) -> None:
    """Whatever a plugin reports, the retained part can be encoded and decodes to the same value."""
    kept = json_only(data)
    assert json.loads(Codec.encode(Command.STATUS, body=kept))["body"] == kept
    assert json_only(kept) is kept


@given(ANYTHING)
def test_plain_data_can_be_encoded(value: Any) -> None:
    """The check encodes nothing and accepts only what both JSON encoders accept."""
    if _is_plain(value):
        assert json.loads(json.dumps(value, allow_nan=False)) == value
        assert json.loads(Codec.encode(Command.STATUS, body=value))["body"] == value


def test_self_referencing_values_are_not_plain() -> None:
    """The check terminates, and the entry is dropped."""
    endless: list[Any] = []
    endless += [endless, endless]
    assert json_only({"good": 1, "bad": endless}) == {"good": 1}


@pytest.mark.parametrize("value", [float("nan"), b"bytes", "\ud800", {"a": {1, 2}}, {None: 1}])
def test_only_invalid_entries_are_dropped(value: object) -> None:
    """The rest of the data is retained."""
    assert json_only({"good": 1, "bad": value}) == {"good": 1}


def test_a_client_description_that_is_not_an_object_is_ignored() -> None:
    """It counts as no description."""
    assert parse_object('{"a": 1}') == {"a": 1}
    assert parse_object("[1]") == parse_object("{") == {}
