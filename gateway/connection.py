"""One client connection: CONNECT, frames, heartbeats, and a bounded queue of answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.session import Session
from gateway.sessions import Sessions
from shared.config import Config
from shared.errors import ProtocolError
from shared.protocol import CloseCode, Codec, Command, Frame, Text

log = logging.getLogger(__name__)

RESUME_TIMEOUT = 5.0


class Connection:
    """Reads a client's messages and writes its answers.

    Args:
        socket: the open WebSocket.
        sessions: the gateway's sessions.
        config: the configuration.
    """

    def __init__(self, socket: ServerConnection, sessions: Sessions, config: Config) -> None:
        self._socket = socket
        self._sessions = sessions
        self._limits = config.LIMITS
        self._codec = Codec(text_bytes=config.LIMITS.textBytes, text_depth=config.LIMITS.textDepth)
        self._queue: deque[str] = deque()
        self._queued_bytes = 0
        self._closing: tuple[CloseCode, str] | None = None
        self._wake = asyncio.Event()
        self._idle = config.LIMITS.idleSeconds
        self.last_heard = time.monotonic()

    # Answers out; called from anywhere on the loop

    def send(self, text: str) -> None:
        """Queue a text; a client that does not read is disconnected."""
        if self._closing is not None:
            return
        self._queue.append(text)
        self._queued_bytes += len(text)
        if self._queued_bytes > self._limits.queuedBytes:
            self._queue.clear()
            self._closing = (CloseCode.SLOW_CLIENT, "answers are not read")
            self._socket.transport.abort()
        self._wake.set()

    def close(self, code: CloseCode, reason: str) -> None:
        """End the connection once what is queued is written."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    def check_idle(self, now: float) -> None:
        """Close a connection from which nothing was heard for too long."""
        if now - self.last_heard > self._idle:
            self.close(CloseCode.IDLE, "no message for too long")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                text = self._queue[0]
                await self._socket.send(text)
                if self._queue:
                    self._queue.popleft()
                    self._queued_bytes -= len(text)
            if self._closing is not None:
                await self._socket.close(*self._closing)
                return

    # Messages in

    async def run(self) -> None:
        """Serve the connection to its end."""
        writer = asyncio.create_task(self._write())
        session: Session | None = None
        try:
            session = await self._connect()
            await self._read(session)
        except ProtocolError as error:
            self._refuse(error)
        except ConnectionClosed:
            pass
        finally:
            if session is not None:
                self._sessions.detach(session, self)
            await self._finish(writer)

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """Let the writer end what is queued, for a short while."""
        if self._closing is None:
            writer.cancel()
        with contextlib.suppress(ConnectionClosed, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(writer, 5.0)

    def _refuse(self, error: ProtocolError) -> None:
        self.send(Codec.encode(Command.ERROR, {}, {"code": error.code, "message": str(error)}))
        self.close(CloseCode(error.close_code or CloseCode.POLICY), error.code)

    async def _connect(self) -> Session:
        """Await CONNECT and answer CONNECTED.

        Raises:
            ProtocolError: it does not come, or may not be granted.
        """
        try:
            async with asyncio.timeout(self._limits.connectTimeout):
                message = self._codec.decode(await self._socket.recv())
        except TimeoutError as error:
            raise ProtocolError(
                f"CONNECT did not come within {self._limits.connectTimeout:g} s",
                code="connect.timeout",
                close_code=CloseCode.CONNECT_TIMEOUT,
            ) from error
        if isinstance(message, Frame) or message.command is not Command.CONNECT:
            raise ProtocolError(
                "the first message is CONNECT",
                code="connect.expected",
                close_code=CloseCode.POLICY,
            )
        return await self._grant(message.headers)

    async def _grant(self, headers: dict[str, Any]) -> Session:
        identity, token = headers.get("session-id"), headers.get("resume-token")
        if identity is None:
            client = headers.get("client")
            mirrored = bool(isinstance(client, dict) and client.get("mirrored"))
            address = str(self._socket.remote_address[0])
            session, token = self._sessions.begin(address, mirrored=mirrored, client=client)
        else:
            session = await self._resume(str(identity), str(token))
        self._sessions.attach(session, self)
        beat = self._agree_heartbeat(headers.get("heartbeat-interval"))
        self.send(self._connected(session, str(token), beat))
        self._sessions.deliver(session)
        return session

    async def _resume(self, identity: str, token: str) -> Session:
        session = self._sessions.find(identity, token)
        if session is None and len(identity) == 32 and identity.isalnum():
            found: asyncio.Future[Session | None] = asyncio.get_running_loop().create_future()
            self._sessions.fetch(
                identity, token, lambda s: None if found.done() else found.set_result(s)
            )
            with contextlib.suppress(TimeoutError):
                session = await asyncio.wait_for(found, RESUME_TIMEOUT)
        # An answer of the aggregator names the session, not who asked: of two clients asking for
        # one session at once, each must still show its own token.
        if session is None or not session.owns(token):
            raise ProtocolError(
                "no such session, or not its resume token; connect without session-id",
                code="session.unknown",
                close_code=CloseCode.SESSION_UNKNOWN,
            )
        return session

    def _agree_heartbeat(self, asked: object) -> float:
        """Grant a heartbeat interval in seconds; twice and a half of it counts as idle."""
        longest = self._limits.idleSeconds / 2.5
        usable = isinstance(asked, int | float) and not isinstance(asked, bool) and asked > 0
        interval = min(float(asked), longest) if usable else longest  # type: ignore[arg-type]
        self._idle = max(self._limits.idleSeconds, 2.5 * interval)
        return interval

    def _connected(self, session: Session, token: str, beat: float) -> str:
        limits = self._limits
        headers = {
            "session-id": session.id,
            "resume-token": token,
            "heartbeat-interval": beat,
            "seq": session.seq,
            "limits": {
                "frameBytes": limits.frameBytes,
                "frameWidth": limits.frameWidth,
                "frameHeight": limits.frameHeight,
                "framePixels": limits.framePixels,
                "framesPerSecond": limits.framesPerSecond,
                "unansweredFrames": 2,
                "sessionSeconds": limits.sessionSeconds,
            },
        }
        return Codec.encode(Command.CONNECTED, headers)

    async def _read(self, session: Session) -> None:
        async for raw in self._socket:
            self.last_heard = time.monotonic()
            message = self._codec.decode(raw)
            if isinstance(message, Frame):
                self._sessions.accept(session, message.data)
            elif message.command is Command.DISCONNECT:
                self._sessions.end(session, "client left")
            elif message.command is Command.CONNECT:
                raise ProtocolError(
                    "CONNECT comes once", code="connect.twice", close_code=CloseCode.POLICY
                )
            else:
                self._heartbeat(message)

    def _heartbeat(self, message: Text) -> None:
        self.send(Codec.encode(Command.HEARTBEAT, {}, None))
