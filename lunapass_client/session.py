"""What both clients have in common; each one adds its I/O.

The methods are coroutines. In the synchronous client the I/O blocks instead of suspending them, so
it runs them without an event loop.
"""

import contextlib
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any

from websockets.typing import Subprotocol

from lunapass_client.answers import Answer, Verdict
from lunapass_client.conversation import (
    ANSWER_SECONDS,
    BROKEN,
    RESULT_SECONDS,
    TEMPORARY,
    Consent,
    FrameNumbers,
    Identity,
    Resumption,
    authorization,
    require_granted,
)
from lunapass_client.errors import Disconnected, NoVerdict, Silent, client_errors
from lunapass_client.protocol import SUBPROTOCOL
from lunapass_client.standstill import Movement, Standstill
from lunapass_client.tcp import Line, end_stalled_sends

Frames = Iterable[bytes] | AsyncIterable[bytes]
Listener = Callable[[Answer], None]


class SessionClient(ABC):
    """Base of both clients: one session, resumed over new connections as often as needed.

    Args:
        url: address such as ``ws://host:8321/ws``.
        session_id: session to resume.
        resume_token: its token.
        client: description of the client, such as ``{"mirrored": True}``.
        start_token: token of the relying party that begins the session, or a function that returns
            a new one for each attempt, if the service requires it.
        consent: the text that the person has accepted, if the service requires it.
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
        consent: Consent | None = None,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        patience: float = ANSWER_SECONDS,
        resumes: int = 8,
    ) -> None:
        self._url = url
        self._identity = Identity(client or {}, session_id, resume_token, start_token, consent)
        self._patience = patience
        self._resumes = resumes
        self._frames = FrameNumbers()
        self.connected: Answer | None = None
        self._options: dict[str, Any] = {
            "compression": None,
            "subprotocols": [Subprotocol(SUBPROTOCOL)],
            "max_size": None,
            "ping_interval": None,  # on a slow line a pong waits behind RESULT
            "additional_headers": authorization(username, password),
            **({} if tls is None else {"ssl": tls}),
        }

    @property
    def session_id(self) -> str | None:
        """Id of the session, once connected."""
        return self._identity.session_id

    @property
    def resume_token(self) -> str | None:
        """Token to resume the session. It must be kept secret."""
        return self._identity.resume_token

    @abstractmethod
    async def _open(self, address: str) -> Line:
        """Open a WebSocket with ``_options``; return its TCP connection."""

    @abstractmethod
    async def _write(self, message: bytes | str) -> None: ...

    @abstractmethod
    async def _read(self, seconds: float) -> Answer | None:
        """Await the next message; None if it has not arrived after some seconds."""

    @abstractmethod
    async def _pause(self, seconds: float) -> None: ...

    @abstractmethod
    def _movement(self) -> Movement: ...

    @abstractmethod
    def abort(self) -> None:
        """End the connection without a closing handshake; the session can be resumed."""

    async def _check(self, frames: Frames, on_answer: Listener | None) -> Verdict:
        assert self.connected is not None, "use the client with 'with' or 'async with'"
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

        Return the verdict; None if the next frame is due.
        """
        try:
            if frame is not None:
                await self._send_or_read_on(frame)
                self._frames.sent()
            return await self._next_frame_or_verdict(await self._receive(), on_answer)
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
            answer = await self._receive()

    async def _resume(self, resumption: Resumption, on_answer: Listener | None) -> Verdict | None:
        self.abort()
        for pause in resumption.pauses():
            await self._pause(pause)
            try:
                connected = await self._connect()
                require_granted(connected)
                return await self._after_resumption(connected, on_answer)
            except TEMPORARY as error:
                self.abort()
                resumption.failed(error)
        return None

    async def _after_resumption(
        self, connected: Answer, on_answer: Listener | None
    ) -> Verdict | None:
        """Take what follows CONNECTED: RESULT, the late answer to a frame, or nothing."""
        seconds = None if connected.announces_result else RESULT_SECONDS
        try:
            answer = await self._receive(seconds)
        except Silent:
            if seconds is None:
                raise
            return None
        return await self._next_frame_or_verdict(answer, on_answer)

    async def _connect(self) -> Answer:
        with client_errors():
            line = await self._open(self._identity.address(self._url))
        try:
            with client_errors():
                end_stalled_sends(line, self._patience)
            await self._send_or_read_on(self._identity.connect())
            self.connected = await self._receive()
            self._identity.granted(self.connected)
        except BaseException:
            self.abort()
            raise
        self._frames.connected(self.connected.seq)
        return self.connected

    async def _send(self, message: bytes | str) -> None:
        with client_errors():
            await self._write(message)

    async def _send_or_read_on(self, message: bytes | str) -> None:
        """Send a message, unless the connection has ended; then reading says why.

        What arrived before the end, such as the RESULT of a refusal, can still be read.
        """
        with contextlib.suppress(Disconnected):
            await self._send(message)

    async def _receive(self, seconds: float | None = None) -> Answer:
        """Await the next message. Announcements of RESULT are skipped: bytes show progress."""
        seconds = self._patience if seconds is None else seconds
        standstill = Standstill(seconds, self._movement)
        while True:
            answer = await self._read(standstill.step)
            if answer is None:
                if standstill.is_over():
                    raise Silent(f"no byte sent or received for {seconds:g} s")
            elif not answer.only_announces:
                return answer


async def _each(frames: Frames) -> AsyncIterator[bytes]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame
