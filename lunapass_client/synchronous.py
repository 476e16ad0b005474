"""The synchronous client, for scripts and programs without an event loop."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lunapass_client.answers import Answer, Verdict
from lunapass_client.conversation import (
    ANSWER_SECONDS,
    BROKEN,
    RESULT_SECONDS,
    TEMPORARY,
    FrameNumbers,
    Identity,
    Resumption,
    authorization,
    require_granted,
)
from lunapass_client.errors import NoVerdict, Silent, client_errors
from lunapass_client.protocol import SUBPROTOCOL
from lunapass_client.standstill import Movement, Standstill
from lunapass_client.tcp import end_stalled_sends, unacknowledged_bytes
from lunapass_client.websocket_adapter import cut, incomplete_bytes, socket_of

Listener = Callable[[Answer], None]


class SyncClient:
    """One session; use it as a context manager.

    Args:
        url: address such as ``ws://host:8321/ws``.
        session_id: session to resume.
        resume_token: its token.
        client: description of the client, such as ``{"mirrored": True}``.
        start_token: token of the relying party that begins the session, or a function that returns
            a new one for each attempt, if the service requires it.
        username: user name, if the service requires one.
        password: its password.
        tls: certificates to trust, if not those of the system.
        patience: seconds without a byte in either direction after which a connection counts as
            broken while an answer is awaited.
        resumes: attempts to resume after a broken connection, one after another.
    """

    def __init__(
        self,
        url: str,
        *,
        session_id: str | None = None,
        resume_token: str | None = None,
        client: dict[str, Any] | None = None,
        start_token: str | Callable[[], str] | None = None,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        patience: float = ANSWER_SECONDS,
        resumes: int = 8,
    ) -> None:
        self._url = url
        self._identity = Identity(client or {}, session_id, resume_token, start_token)
        self._headers = authorization(username, password)
        self._tls = tls
        self._patience = patience
        self._resumes = resumes
        self._frames = FrameNumbers()
        self._socket: ClientConnection | None = None
        self._connections = contextlib.ExitStack()

    def __enter__(self) -> SyncClient:
        self._connect()
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
    def resume_token(self) -> str | None:
        """Token to resume the session. It must be kept secret."""
        return self._identity.resume_token

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "use the client with 'with'"
        return self._socket

    def check(self, frames: Iterable[bytes], on_answer: Listener | None = None) -> Verdict:
        """Send frames, one at a time, until the verdict.

        Args:
            frames: encoded images, read as they are needed; the caller paces them.
            on_answer: called with each answer, to show the person what to change.

        Raises:
            Refused: the service refuses the session or ends it.
            NoVerdict: the frames ran out, or the session could not be resumed.
        """
        for frame in frames:
            verdict = self._exchange(frame, on_answer)
            if verdict is not None:
                return verdict
        if self._frames.is_open:  # its connection broke, and its answer may still come
            verdict = self._exchange(None, on_answer)
            if verdict is not None:
                return verdict
        raise NoVerdict("the frames ran out before the verdict")

    def _exchange(self, frame: bytes | None, on_answer: Listener | None) -> Verdict | None:
        """Send a frame, if any, and await the answer; a frame lost with a connection is not resent.

        Returns:
            The verdict; None if the next frame is due.
        """
        try:
            if frame is not None:
                with client_errors():
                    self.socket.send(frame)
                self._frames.sent()
            return self._next_frame_or_verdict(self._receive(), on_answer)
        except BROKEN as broken:
            return self._resume(Resumption(broken, self._resumes), on_answer)

    def _next_frame_or_verdict(self, answer: Answer, on_answer: Listener | None) -> Verdict | None:
        """Take answers until the last frame is answered, or RESULT follows an accepted one."""
        while True:
            if (verdict := Verdict.within(answer)) is not None:
                return verdict
            if on_answer is not None:
                on_answer(answer)
            if answer.answers_frame:
                self._frames.answered(answer.seq)
            if answer.asks_for_more and not self._frames.is_open:
                return None
            answer = self._receive()

    def _resume(self, resumption: Resumption, on_answer: Listener | None) -> Verdict | None:
        self._drop()
        for pause in resumption.pauses():
            time.sleep(pause)
            try:
                return self._after_resumption(self._connect(), on_answer)
            except TEMPORARY as error:
                self._drop()
                resumption.failed(error)
        return None

    def _after_resumption(self, connected: Answer, on_answer: Listener | None) -> Verdict | None:
        """Take what follows CONNECTED: RESULT, the late answer to a frame, or nothing."""
        seconds = None if connected.announces_result else RESULT_SECONDS
        try:
            answer = self._receive(seconds)
        except Silent:
            if seconds is None:
                raise
            return None
        return self._next_frame_or_verdict(answer, on_answer)

    def _connect(self) -> Answer:
        with client_errors():
            self._socket = self._connections.enter_context(
                connect(
                    self._identity.address(self._url),
                    ssl=self._tls,
                    compression=None,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    max_size=None,
                    ping_interval=None,  # on a slow line a pong waits behind RESULT
                    additional_headers=self._headers,
                )
            )
        try:
            with client_errors():
                end_stalled_sends(socket_of(self._socket), self._patience)
                self._socket.send(self._identity.connect())
            answer = self._receive()
            self._identity.granted(answer)
            require_granted(answer)
            self._frames.connected(answer.seq)
        except BaseException:
            self._drop()
            raise
        return answer

    def _drop(self) -> None:
        """Close the socket without a closing handshake, which the server may never answer."""
        cut(self.socket)
        self._connections.close()

    def _receive(self, seconds: float | None = None) -> Answer:
        seconds = self._patience if seconds is None else seconds
        standstill = Standstill(seconds, self._movement)
        while True:
            answer = self._read(standstill.step)
            if answer is None:
                if standstill.is_over():
                    raise Silent(f"no byte sent or received for {seconds:g} s")
            elif not answer.only_announces:
                return answer

    def _read(self, seconds: float) -> Answer | None:
        """Await the next message; None if it has not arrived after some seconds."""
        with client_errors():
            try:
                raw = self.socket.recv(seconds)
            except TimeoutError:
                return None
        return Answer.parse(raw)

    def _movement(self) -> Movement:
        unacknowledged = unacknowledged_bytes(socket_of(self.socket))
        return Movement(incomplete_bytes(self.socket), unacknowledged)
