"""Session ids and resume tokens."""

import hashlib
import re
import secrets
from typing import TypeGuard

_IDENTITY = re.compile(r"[0-9a-f]{32}")


def is_identity(text: object) -> TypeGuard[str]:
    """Whether this has the form of a session id."""
    return isinstance(text, str) and _IDENTITY.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """Return the SHA-256 of a secret, which itself is never stored, or of a verdict."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def new_identity(prefix: str) -> tuple[str, str]:
    """Make a session id (120 random bits after the cell's two digits) and a resume token (128)."""
    return prefix + secrets.token_hex(15), secrets.token_hex(16)
