"""The service as a page sees it, played by a test that chooses each answer."""

from __future__ import annotations

import base64
import json
from typing import Any

from shared.codes import Code

CONNECTED = {
    "session-id": "0" * 32,
    "resume-token": "1" * 32,
    "heartbeat-interval": 10,
    "seq": 0,
    "limits": {"unansweredFrames": 2},
    "geometry": {
        "frameWidth": 480,
        "frameHeight": 480,
        "faceWidth": 200,
        "faceHeight": 200,
        "frameMargin": 10,
        "faceShare": 0.85,
    },
}


class Stage:
    """Answers the WebSocket of a page.

    Args:
        page: Playwright's page, before it starts a check.

    Attributes:
        errors: codes of the next frame statuses.
        details: details of the next frame statuses.
        answers: whether the service answers; if not, it closes each connection.
    """

    def __init__(self, page: Any) -> None:
        self.errors: list[int] = [Code.LOW_LIVENESS]
        self.details: dict[str, Any] = {}
        self.answers = True
        self._seq = 0
        self._socket: Any = None
        page.route_web_socket("**/ws**", self._open)

    def decide(self, *errors: int, token: str | None = None) -> None:
        """Send the verdict: accepted with a token, or refused with codes."""
        body = {"isOk": token is not None, "jwt": token, "errors": list(errors)}
        self._send("RESULT", {"session-id": CONNECTED["session-id"]}, body)

    def leave(self) -> None:
        """Break the connection, and answer no longer."""
        self.answers = False
        self._socket.close(code=1011)

    def _open(self, socket: Any) -> None:
        if not self.answers:
            socket.close(code=1011)
            return
        self._socket, self._seq = socket, 0
        socket.on_message(self._answer)

    def _answer(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._seq += 1
            body = {"isOk": False, "errors": self.errors, "details": self.details}
            self._send("STATUS", {"seq": self._seq}, body)
        elif json.loads(message)["command"] == "CONNECT":
            self._send("CONNECTED", CONNECTED, None)

    def _send(self, command: str, headers: dict[str, Any], body: Any) -> None:
        self._socket.send(json.dumps({"command": command, "headers": headers, "body": body}))


def token_with(bestshot: bytes, face: tuple[int, int, int, int], size: tuple[int, int]) -> str:
    """Return an unsigned token, which the page shows but does not verify.

    Args:
        bestshot: encoded image.
        face: x, y, width, height in pixels of the image.
        size: width, height of the image.
    """
    names = ("x", "y", "width", "height")
    position = {
        "faceRect": dict(zip(names, face, strict=True)),
        "frameRect": dict(zip(names[2:], size, strict=True)),
    }
    claims = {
        "bestshot": base64.b64encode(bestshot).decode(),
        "details": {"faceFramePosition": position},
    }
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.x"
