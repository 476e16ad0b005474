"""JSON bodies of the HTTP paths, as types."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from lunapass.protocol_docs.messages import Codes, Identity


class ServerResultBody(Struct, rename={"is_ok": "isOk"}, omit_defaults=True):
    """What became of a session; ``isOk``, ``jwt`` and ``errors`` are there once it is decided.

    ``start`` has the claims ``aud``, ``sub``, ``nonce`` and ``kiosk`` of its start token, and
    ``consent``.
    """

    state: Literal["decided", "undecided", "unknown", "unavailable"]
    session: Identity | UnsetType = UNSET
    start: dict[str, Any] | UnsetType = UNSET
    is_ok: bool | UnsetType = UNSET
    jwt: str | UnsetType | None = UNSET
    errors: Codes | UnsetType = UNSET
