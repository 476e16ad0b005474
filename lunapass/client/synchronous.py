"""The synchronous client, for scripts and programs without an event loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lunapass.client.conversation import (
    RESUMABLE,
    Answer,
    Identity,
    NoVerdict,
    Refused,
    Unavailable,
    Verdict,
    authorization,
    pauses,
    require_granted,
)
from shared.protocol import SUBPROTOCOL, Command

ANSWER_SECONDS = 30.0
TEMPORARY = (OSError, InvalidHandshake, ConnectionClosed, TimeoutError, Unavailable)
"""What a further try may mend."""


class SyncClient:
    """One session; use it as a context manager.

    Args:
        url: address such as ``ws://host:8321/ws``.
        client: what to tell of the client, such as ``{"mirrored": True}``.
        username: user name, where the service asks for one.
        password: its password.
        resumes: tries to resume after a broken connection, one after another.
    """

    def __init__(
        self,
        url: str,
        *,
        client: dict[str, Any] | None = None,
        username: str | None = None,
        password: str | None = None,
        resumes: int = 8,
    ) -> None:
        self._url = url
        self._identity = Identity(client or {})
        self._headers = authorization(username, password)
        self._resumes = resumes
        self._socket: ClientConnection | None = None
        self._connections = contextlib.ExitStack()

    def __enter__(self) -> SyncClient:
        require_granted(self._connect())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connections.close()

    @property
    def session_id(self) -> str | None:
        """Id of the session, once connected."""
        return self._identity.session_id

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "use the client with 'with'"
        return self._socket

    def check(
        self, frames: Iterable[bytes], on_answer: Callable[[Answer], None] | None = None
    ) -> Verdict:
        """Send frames, one at a time, until the verdict.

        Args:
            frames: encoded pictures, taken as they are needed; pace them yourself.
            on_answer: called with each answer, to show the person what to change.

        Raises:
            Refused: the service does not grant the session or ends it.
            NoVerdict: the frames ended, or the connection could not be had again.
            TimeoutError: the service does not answer.
        """
        for frame in frames:
            verdict = self._show(frame, on_answer)
            if verdict is not None:
                return verdict
        raise NoVerdict("the frames ended before the verdict")

    def _show(self, frame: bytes, on_answer: Callable[[Answer], None] | None) -> Verdict | None:
        try:
            self.socket.send(frame)
            while True:
                answer = self._receive()
                if answer.command is Command.RESULT:
                    return Verdict.of(answer)
                if answer.command is Command.ERROR:
                    raise Refused(answer.body["code"], answer.body["message"])
                if on_answer is not None:
                    on_answer(answer)
                if answer.answers_frame:
                    accepted = answer.command is Command.STATUS and answer.body["isOk"]
                    return Verdict.of(self._receive()) if accepted else None
        except ConnectionClosed as closed:
            return self._resume(closed)

    def _resume(self, closed: ConnectionClosed) -> Verdict | None:
        code = closed.rcvd.code if closed.rcvd is not None else 1006
        if code not in RESUMABLE:
            raise NoVerdict(f"the service closed with {code}") from closed
        for pause in pauses(self._resumes):
            time.sleep(pause)
            with contextlib.suppress(*TEMPORARY):
                require_granted(self._connect())
                return self._result_of_resumption()
        raise NoVerdict("the connection could not be had again") from closed

    def _result_of_resumption(self) -> Verdict | None:
        with contextlib.suppress(TimeoutError):
            answer = self._receive(0.2)
            if answer.command is Command.RESULT:
                return Verdict.of(answer)
        return None

    def _connect(self) -> Answer:
        self._connections.close()
        self._socket = self._connections.enter_context(
            connect(
                self._identity.address(self._url),
                compression=None,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                max_size=None,
                additional_headers=self._headers,
            )
        )
        self._socket.send(self._identity.connect())
        answer = self._receive()
        self._identity.granted(answer)
        return answer

    def _receive(self, seconds: float = ANSWER_SECONDS) -> Answer:
        return Answer.parse(self.socket.recv(seconds))
