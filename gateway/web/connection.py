"""A client connection: receives CONNECT, frames, heartbeats; sends answers through its outbox."""

import asyncio
import json
import logging
from functools import partial
from typing import Any

from websockets.exceptions import ConnectionClosed

from gateway.limits.addresses import limit_key
from gateway.limits.buckets import TokenBucket
from gateway.sessions.sessions import Sessions
from gateway.state.identity import is_identity
from gateway.state.record import CLIENT_LEFT
from gateway.state.session import Session
from gateway.web.client_socket import ClientSocket
from gateway.web.closing import SLOWEST_LINE
from gateway.web.consent import required_version, with_consent
from gateway.web.forwarded import networks, sender_of
from gateway.web.outbox import Outbox
from gateway.web.start_token import StartTokens
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.protocol import CloseCode, Codec, Command, Frame, ProtocolError, Text

log = logging.getLogger(__name__)

OVERFLOW_SECONDS = 1.0
"""Time for the refusal to reach a client whose messages are no longer read."""
MAX_CLIENT_CHARS = 8192
"""Longest description that a client gives of itself, as JSON."""


class Connection:
    """Reads a client's messages and writes its answers.

    Attributes:
        outbox: the queue of its answers, through which it also ends.
        last_heard: monotonic time of the last message.
        connecting: the client is not connected to a session yet.
    """

    def __init__(
        self,
        socket: ClientSocket,
        sessions: Sessions,
        start_tokens: StartTokens,
        config: Config,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._start_tokens = start_tokens
        self._socket = socket
        proxies = networks(config.LUNA_PASS.trustedProxies)
        self._address = sender_of(socket, socket.request, proxies).address
        self._sessions = sessions
        self._frames = sessions.frames
        self._limits = config.LIMITS
        self._consent = required_version(config)
        self._geometry = _geometry(config)
        self._codec = Codec(text_bytes=config.LIMITS.textBytes, text_depth=config.LIMITS.textDepth)
        self.outbox = Outbox(socket, config.LIMITS.queuedBytes, clock=clock)
        self._messages = TokenBucket(
            config.LIMITS.messagesPerSecond, 2 * config.LIMITS.messagesPerSecond
        )
        socket.measure(self._address, self._refuse_overflow)
        self.last_heard = self._clock.monotonic()
        self._heard_bytes = socket.received_bytes
        self.connecting = True

    def check_idle(self, now: float) -> None:
        """Close a connection that has sent no message for too long.

        An incomplete message gets the time that its bytes need on a slow line. A slower one does
        not count, or a client could hold a connection with a byte now and then.
        """
        arrived = self._socket.received_bytes - self._heard_bytes
        if now - self.last_heard > self._limits.idleSeconds + arrived / SLOWEST_LINE:
            self.outbox.close(CloseCode.IDLE, "no message for too long")

    async def run(self) -> None:
        """Serve the connection until it ends."""
        writer = asyncio.create_task(self.outbox.write())
        session: Session | None = None
        try:
            session = await self._connect()
            self.connecting = False
            await self._read(session)
        except ProtocolError as error:
            self._refuse(error)
        except ConnectionClosed:
            pass
        finally:
            self.connecting = False
            if session is not None:
                session.detach(self.outbox)
            await self.outbox.finish(writer)

    def _refuse(self, error: ProtocolError) -> None:
        headers = {} if error.retry_after is None else {"retry-after": error.retry_after}
        body = {"code": error.code, "message": str(error)}
        text = Codec.encode(Command.ERROR, headers, body)
        self.outbox.end_with(text, error.close_code, error.code)

    def _refuse_overflow(self) -> None:
        """End a connection for whose bytes there is no room; further bytes are not read."""
        message = "too many bytes are waiting in the service; try again later"
        self._refuse(ProtocolError(message, code="session.full"))
        self.outbox.end_within(OVERFLOW_SECONDS)

    async def _connect(self) -> Session:
        """Await CONNECT and answer CONNECTED.

        Raises:
            ProtocolError: it did not arrive in time, or is refused.
        """
        try:
            async with asyncio.timeout(self._limits.connectTimeout):
                message = self._codec.decode(await self._socket.next_message())
        except TimeoutError as error:
            late = f"CONNECT did not arrive within {self._limits.connectTimeout:g} s"
            raise ProtocolError(late, code="connect.timeout") from error
        if isinstance(message, Frame) or message.command is not Command.CONNECT:
            raise ProtocolError("the first message must be CONNECT", code="connect.expected")
        return await self._grant(message.headers)

    async def _grant(self, headers: dict[str, Any]) -> Session:
        identity, token = headers.get("session-id"), headers.get("resume-token")
        if identity is None:
            session, token = await self._open(headers)
            await self._until_known(session)
        else:
            session = await self._resume(identity, str(token))
        session.attach(self.outbox, self._limits.reconnects, limit_key(self._address))
        beat = self._agree_heartbeat(headers.get("heartbeat-interval"))
        self.outbox.send(self._connected(session, str(token), beat))
        session.deliver()
        return session

    async def _open(self, headers: dict[str, Any]) -> tuple[Session, str]:
        """Open a session.

        The start token is used up last, since it counts once: a session that is refused for another
        reason should not cost it. It is still lost if others take the last places first, or if the
        aggregator does not answer.
        """
        client, description = _described(headers.get("client"))
        refused_before = await self._sessions.refused.admit(self._address)
        grant = await self._start_tokens.verify(headers.get("start-token"))
        start = with_consent(self._consent, grant.claims, headers.get("consent"))
        self._sessions.require_room_for(self._address)
        refused_before |= await self._sessions.refused.admit_bound(grant.claims)
        await self._start_tokens.use(grant)
        return self._sessions.begin(
            self._address,
            mirrored=bool(client.get("mirrored")),
            client=description,
            refused_before=refused_before,
            start=start,
            start_id=grant.jti,
        )

    async def _until_known(self, session: Session) -> None:
        """Wait until the aggregator knows the session, so that it survives this gateway."""
        try:
            async with asyncio.timeout(self._limits.connectTimeout):
                await self._sessions.until_known(session)
        except TimeoutError as error:
            self._sessions.abandon(session)
            raise _unavailable() from error

    async def _resume(self, identity: object, token: str) -> Session:
        session = None
        if is_identity(identity):
            try:
                async with asyncio.timeout(self._limits.connectTimeout):
                    session = await self._sessions.resume(identity, token)
            except TimeoutError as error:
                raise _unavailable() from error
        if session is None:
            message = "no such session, or not its resume token; connect without session-id"
            raise ProtocolError(message, code="session.unknown")
        return session

    def _agree_heartbeat(self, asked: object) -> float:
        """Return the heartbeat interval in seconds: as asked for, if ``idleSeconds`` permits it.

        An interval of at most ``idleSeconds`` / 2.5 allows for a heartbeat that comes late.
        """
        longest = self._limits.idleSeconds / 2.5
        if isinstance(asked, int | float) and not isinstance(asked, bool) and 0 < asked < longest:
            return float(asked)
        return longest

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
        if self._geometry is not None:
            headers["geometry"] = self._geometry
        if session.result_bytes is not None:  # it follows at once
            headers["result-bytes"] = session.result_bytes
        return Codec.encode(Command.CONNECTED, headers)

    async def _read(self, session: Session) -> None:
        self._socket.on_image = partial(self._accept_image, session)
        while True:
            raw = await self._socket.next_message()
            if session.outlet is not self.outbox:
                return  # a newer connection has the session; its client counts its own frames
            self._record_message()
            message = self._codec.decode(raw)
            if isinstance(message, Frame):
                self._frames.accept(session, message.data)
            elif message.command is Command.DISCONNECT:
                self._sessions.end(session, CLIENT_LEFT)
            elif message.command is Command.CONNECT:
                raise ProtocolError("CONNECT was sent twice", code="connect.twice")
            else:
                self._heartbeat(message)

    def _accept_image(self, session: Session, data: bytes) -> None:
        """Accept a frame without waking the reader's task."""
        if session.outlet is not self.outbox or self.outbox.close_code is not None:
            return
        try:
            self._record_message()
        except ProtocolError as error:
            self._refuse(error)
            return
        try:
            self._frames.accept(session, data)
        except Exception:  # would end the connection without a close code
            log.exception(
                "unexpected error while receiving a frame",
                extra={"fields": {"session": session.id}},
            )
            self.outbox.close(CloseCode.INTERNAL, "")

    def _record_message(self) -> None:
        """Record a received message.

        Raises:
            ProtocolError: there were too many.
        """
        self.last_heard = self._clock.monotonic()
        self._heard_bytes = self._socket.received_bytes
        if not self._messages.admit(self.last_heard):
            message = f"more than {self._limits.messagesPerSecond:g} messages per second"
            raise ProtocolError(message, code="message.too-many")

    def _heartbeat(self, message: Text) -> None:
        self.outbox.send(Codec.encode(Command.HEARTBEAT, {}, None))


def _unavailable() -> ProtocolError:
    message = "the service cannot judge at the moment; try again"
    return ProtocolError(message, code="service.unavailable")


def _described(client: object) -> tuple[dict[str, Any], str]:
    """Return a client's description of itself, and the same as JSON.

    Raises:
        ProtocolError: it is not an object, or too large.
    """
    description = json.dumps(client)
    if not isinstance(client, dict | None) or len(description) > MAX_CLIENT_CHARS:
        message = f'"client" must be an object of at most {MAX_CLIENT_CHARS} characters'
        raise ProtocolError(message, code="message.malformed")
    return client or {}, description


def _geometry(config: Config) -> dict[str, float] | None:
    """Return the required sizes, in pixels of a frame, from which a client draws its outline.

    None if frames are rotated before they are judged: the client shows them as they are.
    """
    if config.CHECKS.rotate:
        return None
    checks, thresholds = config.CHECKS, config.LIVENESS.THRESHOLDS
    return {
        "frameWidth": checks.frameWidth,
        "frameHeight": checks.frameHeight,
        "faceWidth": thresholds.faceWidth,
        "faceHeight": thresholds.faceHeight,
        "frameMargin": thresholds.frameMargin,
        "faceShare": checks.faceShare,
    }
