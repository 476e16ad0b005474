"""The wire protocol ``lpproto.v1`` between client and gateway: bytes in, commands out, no I/O.

A text message is a JSON object ``{"command": ..., "headers": {...}, "body": ...}``; a binary
message is one image. docs/protocol.md describes the protocol for users.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lunapass_client.protocol import SUBPROTOCOL, CloseCode, Command, Drop
from shared.errors import LunaPassError

__all__ = [
    "CLIENT_COMMANDS",
    "CLOSE_CODES",
    "SUBPROTOCOL",
    "CloseCode",
    "Codec",
    "Command",
    "Drop",
    "Frame",
    "ProtocolError",
    "Text",
    "depth_of",
]


CLOSE_CODES = {
    "connect.timeout": CloseCode.CONNECT_TIMEOUT,
    "message.malformed": CloseCode.BAD_MESSAGE,
    "message.not-json": CloseCode.BAD_MESSAGE,
    "message.too-big": CloseCode.TOO_BIG,
    "message.too-deep": CloseCode.BAD_MESSAGE,
    "message.unknown-command": CloseCode.BAD_MESSAGE,
    "service.unavailable": CloseCode.RESTART,
    "session.full": CloseCode.OVERLOADED,
    "session.too-many": CloseCode.OVERLOADED,
    "session.too-many-refusals": CloseCode.OVERLOADED,
    "session.unknown": CloseCode.SESSION_UNKNOWN,
    "start-token.unavailable": CloseCode.RESTART,
}
"""How the connection ends after an error; all others end it with ``POLICY`` (docs/protocol.md)."""


class ProtocolError(LunaPassError):
    """A client violated the wire protocol.

    Attributes:
        code: stable name for the client, such as ``session.full``.
        retry_after: seconds after which the client may retry; None if a retry is useless.
    """

    def __init__(self, message: str, *, code: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after

    @property
    def close_code(self) -> CloseCode:
        """WebSocket close code to end the connection with."""
        return CLOSE_CODES.get(self.code, CloseCode.POLICY)


def _plain(value: object) -> Any:
    """Convert subclasses of numbers and strings, such as those of numpy, to plain values.

    Raises:
        TypeError: it is something else.
    """
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


_JSON = msgspec.json.Encoder(enc_hook=_plain)
"""Writes null for NaN and infinities, which JSON does not have."""

CLIENT_COMMANDS = frozenset({Command.CONNECT, Command.HEARTBEAT, Command.DISCONNECT})


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded text message."""

    command: Command
    headers: dict[str, Any] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded binary message: one encoded image."""

    data: bytes


def depth_of(value: object) -> int:
    """Return the depth of nested objects and lists; 0 for a plain value."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _finite(text: str) -> float:
    """Read a number with a fraction or an exponent.

    Raises:
        ValueError: it is NaN or an infinity, which Python accepts although they are not JSON, or it
            is too large for a float: Python reads 1e400 as infinity.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


class Codec:
    """Decoder and encoder of client messages, with limits on a text's bytes and nested levels."""

    def __init__(self, *, text_bytes: int = 16_384, text_depth: int = 8) -> None:
        self._text_bytes = text_bytes
        self._text_depth = text_depth

    def decode(self, message: str | bytes) -> Text | Frame:
        """Decode a message from a client.

        Raises:
            ProtocolError: the message violates the protocol.
        """
        if isinstance(message, bytes):
            return Frame(message)
        if len(message) > self._text_bytes:
            found = f"text message of {len(message)} characters, at most {self._text_bytes}"
            raise ProtocolError(found, code="message.too-big")
        too_deep = ProtocolError(
            f"JSON deeper than {self._text_depth} levels", code="message.too-deep"
        )
        try:
            value = json.loads(message, parse_constant=_finite, parse_float=_finite)
        except ValueError as error:
            raise ProtocolError("text message is not JSON", code="message.not-json") from error
        except RecursionError as error:
            raise too_deep from error
        if depth_of(value) > self._text_depth:
            raise too_deep
        return self._text(value)

    def _text(self, value: object) -> Text:
        if not isinstance(value, dict) or not isinstance(value.get("command"), str):
            raise ProtocolError(
                'a message must be an object with "command"', code="message.malformed"
            )
        headers = value.get("headers")
        if headers is None:
            headers = {}
        if not isinstance(headers, dict):
            raise ProtocolError('"headers" must be an object', code="message.malformed")
        if value["command"] not in CLIENT_COMMANDS:
            raise ProtocolError("unknown command", code="message.unknown-command")
        return Text(Command(value["command"]), headers, value.get("body"))

    @staticmethod
    def encode(command: Command, headers: dict[str, Any] | None = None, body: Any = None) -> str:
        """Encode a message to a client or, in a client, to the server."""
        message = {"command": command, "headers": headers or {}, "body": body}
        return _JSON.encode(message).decode()
