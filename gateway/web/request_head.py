"""The head of the HTTP request that opens a connection: complete, or refused with a status.

The WebSocket library closes a connection without an answer if it cannot parse the request. A proxy
in front would take that for a failed server and try the next one, and after a few such requests it
would try none: one client could lock out all others. So each head is answered here.
"""

import io
import re
from http import HTTPStatus

from websockets.exceptions import SecurityError

from shared.wire.websocket_adapter import HeadParser

METHODS = ("GET", "HEAD")
"""The service has no use for other methods, nor for a body with these."""

_METHOD = re.compile(rb"[A-Z]+(?= )")
_HAS_BODY = re.compile(rb"^(?:content-length|transfer-encoding):", re.IGNORECASE | re.MULTILINE)


class UnfitRequest(Exception):
    """A request that the service does not accept."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class RequestHead:
    """Collects the head of a request from received bytes, and nothing after it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._parser = HeadParser()

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add received bytes.

        Returns:
            The head and the bytes after it, once the head is complete; None before.

        Raises:
            UnfitRequest: the service does not accept this request.
        """
        # Line by line, as the parser does, to stop exactly after the head.
        lines = io.BytesIO(data)
        for line in lines:
            if len(self._data) + len(line) > self._max_bytes:
                raise self._too_large()
            self._data += line
            if self._is_whole(line):
                head = bytes(self._data)
                self._data.clear()  # this object lives as long as the connection
                return head, lines.read()
        return None

    def _is_whole(self, line: bytes) -> bool:
        try:
            whole = self._parser.feed(line)
        except SecurityError as error:  # a line is too long, or there are too many
            raise self._too_large() from error
        except (EOFError, NotImplementedError, ValueError) as error:
            raise UnfitRequest(self._error_status()) from error
        if whole and self.method not in METHODS:
            raise UnfitRequest(HTTPStatus.METHOD_NOT_ALLOWED)
        return whole

    def _too_large(self) -> UnfitRequest:
        in_first_line = b"\n" not in self._data[:-1]
        if in_first_line:
            return UnfitRequest(HTTPStatus.REQUEST_URI_TOO_LONG)
        return UnfitRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @property
    def method(self) -> str:
        """The method; empty if the request does not start with one."""
        found = _METHOD.match(self._data)
        return found[0].decode() if found else ""

    def _error_status(self) -> HTTPStatus:
        """Return the status for a request that the parser refuses."""
        if self.method and self.method not in METHODS:
            return HTTPStatus.METHOD_NOT_ALLOWED
        # The parser reports a body at the end of the head, and other errors before.
        if self._data.endswith(b"\r\n\r\n") and _HAS_BODY.search(self._data):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return HTTPStatus.BAD_REQUEST
