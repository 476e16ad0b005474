"""Digests of settings: equal settings have equal digests, in every process and on every machine."""

import hashlib
import json
from typing import Any

SHORT = 16
"""Hexadecimal digits of a short digest. 64 bits tell settings apart, but an operator could search
for two settings with the same digest."""


def canonical(value: Any) -> bytes:
    """Return JSON values as canonical JSON: sorted keys, no blanks, ASCII.

    A pydantic secret becomes asterisks, a set a sorted list, and any other type its text.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_as_json)
    return text.encode("ascii")


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def short_digest(value: Any) -> str:
    """Return the first 16 digits of ``digest``."""
    return digest(value)[:SHORT]


def _as_json(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return str(value)
