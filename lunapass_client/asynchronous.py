"""The asynchronous client: one session, resumed over new connections as often as needed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
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
    encode,
    require_granted,
)
from lunapass_client.errors import Disconnected, NoVerdict, Silent, client_errors
from lunapass_client.protocol import SUBPROTOCOL, Command
from lunapass_client.standstill import Movement, Standstill
from lunapass_client.tcp import end_stalled_sends, unread_bytes
from lunapass_client.websocket_adapter import incomplete_bytes, transport_of

Frames = Iterable[bytes] | AsyncIterable[bytes]
Listener = Callable[[Answer], None]


class Client:
    """One session; use it as an asynchronous context manager.

    ``check`` runs the whole session. The other methods send and receive single messages.

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

    Attributes:
        connected: the service's answer to CONNECT.
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
        self._tls: dict[str, Any] = {} if tls is None else {"ssl": tls}
        self._patience = patience
        self._resumes = resumes
        self._frames = FrameNumbers()
        self.connected: Answer | None = None
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Client:
        await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()

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
        assert self._socket is not None, "use the client with 'async with'"
        return self._socket

    @property
    def arrived_bytes(self) -> int:
        """Bytes received so far of an incomplete message; on a slow line a long one takes time."""
        return incomplete_bytes(self.socket)

    @property
    def close_code(self) -> int | None:
        """Close code of the service, once it has ended the connection."""
        return self.socket.close_code

    async def check(self, frames: Frames, on_answer: Listener | None = None) -> Verdict:
        """Send frames, one at a time, until the verdict.

        Args:
            frames: encoded images, read as they are needed; the caller paces them.
            on_answer: called with each answer, to show the person what to change.

        Raises:
            Refused: the service refuses the session or ends it.
            NoVerdict: the frames ran out, or the session could not be resumed.
        """
        assert self.connected is not None, "use the client with 'async with'"
        require_granted(self.connected)
        async for frame in _each(frames):
            verdict = await self._exchange(frame, on_answer)
            if verdict is not None:
                return verdict
        if self._frames.is_open:  # its connection broke, and its answer may still come
            verdict = await self._exchange(None, on_answer)
            if verdict is not None:
                return verdict
        raise NoVerdict("the frames ran out before the verdict")

    async def _exchange(self, frame: bytes | None, on_answer: Listener | None) -> Verdict | None:
        """Send a frame, if any, and await the answer; a frame lost with a connection is not resent.

        Returns:
            The verdict; None if the next frame is due.
        """
        try:
            if frame is not None:
                await self.send_frame(frame)
                self._frames.sent()
            return await self._next_frame_or_verdict(await self.receive(), on_answer)
        except BROKEN as broken:
            return await self._resume(Resumption(broken, self._resumes), on_answer)

    async def _next_frame_or_verdict(
        self, answer: Answer, on_answer: Listener | None
    ) -> Verdict | None:
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
            answer = await self.receive()

    async def _resume(self, resumption: Resumption, on_answer: Listener | None) -> Verdict | None:
        self.abort()
        for pause in resumption.pauses():
            await asyncio.sleep(pause)
            try:
                require_granted(await self._connect())
                return await self._after_resumption(on_answer)
            except TEMPORARY as error:
                self.abort()
                resumption.failed(error)
        return None

    async def _after_resumption(self, on_answer: Listener | None) -> Verdict | None:
        """Take what follows CONNECTED: RESULT, the late answer to a frame, or nothing."""
        assert self.connected is not None
        seconds = None if self.connected.announces_result else RESULT_SECONDS
        try:
            answer = await self.receive(seconds=seconds)
        except Silent:
            if seconds is None:
                raise
            return None
        return await self._next_frame_or_verdict(answer, on_answer)

    async def _connect(self) -> Answer:
        with client_errors():
            self._socket = await connect(
                self._identity.address(self._url),
                compression=None,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                max_size=None,
                ping_interval=None,  # on a slow line a pong waits behind RESULT
                additional_headers=self._headers,
                **self._tls,
            )
        try:
            with client_errors():
                line = transport_of(self._socket).get_extra_info("socket")
                end_stalled_sends(line, self._patience)
                await self._socket.send(self._identity.connect())
            self.connected = await self.receive()
        except BaseException:
            self.abort()
            raise
        self._identity.granted(self.connected)
        self._frames.connected(self.connected.seq)
        return self.connected

    def abort(self) -> None:
        """End the connection without a closing handshake; the session can be resumed."""
        transport_of(self.socket).abort()

    async def send_frame(self, data: bytes) -> None:
        """Send one encoded image."""
        with client_errors():
            await self.socket.send(data)

    async def send(self, command: Command) -> None:
        """Send a command without headers."""
        with client_errors():
            await self.socket.send(encode(command))

    async def receive(self, *, seconds: float | None = None) -> Answer:
        """Await the next message. Announcements of RESULT are skipped: progress is seen by bytes.

        Args:
            seconds: longest time without a byte in either direction; by default ``patience``.

        Raises:
            Silent: no byte was sent or received for that time.
            Disconnected: the connection has ended.
            BadAnswer: the message violates the protocol.
        """
        seconds = self._patience if seconds is None else seconds
        standstill = Standstill(seconds, self._movement)
        while True:
            answer = await self._read(standstill.step)
            if answer is None:
                if standstill.is_over():
                    raise Silent(f"no byte sent or received for {seconds:g} s")
            elif not answer.only_announces:
                return answer

    async def _read(self, seconds: float) -> Answer | None:
        """Await the next message; None if it has not arrived after some seconds."""
        try:
            async with asyncio.timeout(seconds):  # unlike wait_for, needs no task
                with client_errors():
                    raw = await self.socket.recv()
        except TimeoutError:
            return None
        return Answer.parse(raw)

    def _movement(self) -> Movement:
        return Movement(self.arrived_bytes, unread_bytes(transport_of(self.socket)))

    async def answers(self) -> AsyncIterator[Answer]:
        """Yield messages until the connection ends."""
        with contextlib.suppress(Disconnected):
            while True:
                yield await self.receive()


async def _each(frames: Frames) -> AsyncIterator[bytes]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame
