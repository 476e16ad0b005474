"""What plugins and clients tell of a session, held to JSON: it goes into statuses and the token."""

from __future__ import annotations

import json
from typing import Any

from shared.wire.protocol import Codec, Command

_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def sound(told: Any) -> dict[str, Any]:
    """Keep what JSON can hold: the very object that was given where that is all of it."""
    if not isinstance(told, dict):
        return {}
    if not told or _is_json(told):
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


def of_client(text: str) -> dict[str, Any]:
    """Read what a client told of itself; anything but an object tells nothing."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
