"""Typed errors of the service.

LunaPassError
 ├─ StartupError            the role cannot start; the command prints one line, exits with status 2
 │   ├─ ConfigError
 │   ├─ ModelError
 │   └─ ResourceError       a port, a directory, shared memory
 ├─ ProtocolError           a client violated the wire protocol (``shared.wire.protocol``)
 ├─ FrameError              a frame cannot be decoded or is not allowed; the client gets a code
 ├─ MessageError            a message between roles is invalid
 ├─ SlotError               a slot's generation or size does not match its job
 ├─ PluginError             a plugin removed what other parts decided
 └─ EstimationError         a stage of the estimation failed

A message says what is wrong, where, what was found, what is allowed and what to do. Messages of
``ProtocolError`` and ``FrameError`` may reach a client, so they never name paths or internals.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class LunaPassError(Exception):
    """Base of the service's own errors."""


class StartupError(LunaPassError):
    """The role cannot start; the command prints one line and exits with status 2."""


class ConfigError(StartupError):
    """The configuration has an unknown key, a wrong type or an impossible value."""


class ModelError(StartupError):
    """A model file is missing, differs from the manifest, or cannot be loaded."""


class ResourceError(StartupError):
    """A port, directory, socket or shared memory is not available."""


@contextmanager
def os_errors(
    place: object, advice: str = "", *, kind: type[StartupError] = ResourceError
) -> Iterator[None]:
    """Raise errors of the operating system as one line: ``place``, what is wrong, what to do."""
    try:
        yield
    except OSError as error:
        what_to_do = f"; {advice}" if advice else ""
        raise kind(f"{place}: {error.strerror or error}{what_to_do}") from error


class FrameError(LunaPassError):
    """A frame cannot be decoded, or exceeds the limits.

    Attributes:
        code: stable name for logs and metrics, such as ``frame.too-many-pixels``.
    """

    def __init__(self, message: str, *, code: str = "frame.undecodable") -> None:
        super().__init__(message)
        self.code = code


class MessageError(LunaPassError):
    """A message between two roles is invalid."""


class SlotError(LunaPassError):
    """A slot does not match its job: stale generation or invalid size."""


class PluginError(LunaPassError):
    """A plugin removed what other parts decided about a frame."""


class EstimationError(LunaPassError):
    """A stage of the estimation failed."""
