"""Restricts the data of plugins and clients to JSON; it goes into statuses and the token."""

import json
from typing import Any

from shared.wire.protocol import Codec, Command

PLAIN_LEVELS = 8
"""Levels of nesting that every encoder accepts."""
PLAIN_MAX = 2**53
"""Largest absolute value of numbers that every encoder writes."""
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def json_only(data: Any) -> dict[str, Any]:
    """Return the entries that are valid JSON; if all are, return the same object."""
    if not isinstance(data, dict):
        return {}
    if _is_plain(data) or _is_json(data):
        return data
    return {name: value for name, value in data.items() if _is_json({name: value})}


def _is_json(value: object) -> bool:
    """Return whether the encoder of tokens and the stricter one of statuses accept a value."""
    try:
        _JSON.encode(value).encode()  # encode() rejects half of a surrogate pair
        Codec.encode(Command.STATUS, body=value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_plain(value: Any, levels: int = PLAIN_LEVELS) -> bool:
    """Return True only for certain JSON: moderate numbers, ASCII texts, few levels.

    This holds for the data of most frames; a trial encoding costs ten times as much.
    """
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is float or kind is int:
        return bool(-PLAIN_MAX <= value <= PLAIN_MAX)  # False for NaN
    if kind is bool or value is None:
        return True
    if levels == 0:
        return False
    if kind is dict:
        for name, inner in value.items():
            if type(name) is not str or not name.isascii():
                return False
            if type(inner) is float or type(inner) is int:  # most values; without a call
                if not -PLAIN_MAX <= inner <= PLAIN_MAX:
                    return False
            elif not _is_plain(inner, levels - 1):
                return False
        return True
    return kind is list and all(_is_plain(inner, levels - 1) for inner in value)


def parse_object(text: str | bytes | bytearray) -> dict[str, Any]:
    """Parse a JSON object; return an empty one for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
