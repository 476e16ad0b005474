"""Typed errors of the service, each with a stable code.

LunaPassError
 ├─ StartupError            the role cannot start; the command exits with status 2
 │   ├─ ConfigError
 │   ├─ ModelError
 │   └─ ResourceError       a port, a directory, shared memory
 ├─ ProtocolError           a client violated the wire protocol; carries the close code, if any
 ├─ FrameError              a frame cannot be decoded or is not allowed; the client gets a code
 ├─ MessageError            a message between roles is invalid
 ├─ SlotError               a slot's generation or size does not match its job
 ├─ PluginError             a plugin removed what other parts decided
 └─ EstimationError         a stage of the estimation failed

A message says what is wrong, where, what was found, what is allowed and what to do. Messages of
``ProtocolError`` and ``FrameError`` may reach a client, so they never name paths or internals.
"""

from __future__ import annotations


class LunaPassError(Exception):
    """Base of the service's own errors.

    Attributes:
        code: stable name for logs, metrics and clients, such as ``frame.too-many-pixels``.
    """

    code: str = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class StartupError(LunaPassError):
    """The role cannot start; the command prints one line and exits with status 2."""

    code = "startup"


class ConfigError(StartupError):
    """The configuration has an unknown key, a wrong type or an impossible value."""

    code = "config"


class ModelError(StartupError):
    """A model file is missing, differs from the manifest, or cannot be loaded."""

    code = "model"


class ResourceError(StartupError):
    """A port, directory, socket or shared memory is not available."""

    code = "resource"


class ProtocolError(LunaPassError):
    """A client violated the wire protocol.

    Attributes:
        close_code: WebSocket close code to end the connection with; None keeps it open.
        retry_after: seconds after which the client may retry; None if a retry is useless.
    """

    code = "protocol"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        close_code: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code
        self.retry_after = retry_after


class FrameError(LunaPassError):
    """A frame cannot be decoded, or exceeds the limits."""

    code = "frame.undecodable"


class MessageError(LunaPassError):
    """A message between two roles is invalid."""

    code = "message"


class SlotError(LunaPassError):
    """A slot does not match its job: stale generation or invalid size."""

    code = "slot"


class PluginError(LunaPassError):
    """A plugin removed what other parts decided about a frame."""

    code = "plugin"


class EstimationError(LunaPassError):
    """A stage of the estimation failed."""

    code = "estimation"
