"""What plugins and clients tell of a session, held to JSON: it goes into statuses and the token."""

from __future__ import annotations

import json
from typing import Any

from shared.wire.protocol import Codec, Command

PLAIN_LEVELS = 8
"""Levels of nested values that no encoder finds too deep."""
PLAIN_MAX = 2**53
"""Bound of the numbers that every encoder writes."""
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def sound(told: Any) -> dict[str, Any]:
    """Keep what JSON can hold: the very object that was given where that is all of it."""
    if not isinstance(told, dict):
        return {}
    if _is_plain(told) or _is_json(told):
        return told
    return {name: value for name, value in told.items() if _is_json({name: value})}


def _is_json(value: object) -> bool:
    """Whether both can be written, the token and, by a stricter encoder, the status."""
    try:
        _JSON.encode(value).encode()  # half of a surrogate pair is no text
        Codec.encode(Command.STATUS, body=value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_plain(value: Any, levels: int = PLAIN_LEVELS) -> bool:
    """Whether a value can certainly be written: moderate numbers, ASCII texts, few levels of both.

    The data of most frames is of this kind; writing it only to try it costs ten times as much.
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
            if type(name) is not str or not name.isascii() or not _is_plain(inner, levels - 1):
                return False
        return True
    return kind is list and all(_is_plain(inner, levels - 1) for inner in value)


def of_client(text: str) -> dict[str, Any]:
    """Read what a client told of itself; anything but an object tells nothing."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
