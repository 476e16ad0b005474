"""Answers to a client are limited while it does not read, and the connection always ends."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from gateway.state.session import ANNOUNCED_BYTES, Session
from gateway.web.client_socket import ClientSocket, ClientSockets
from gateway.web.connection import Connection
from gateway.web.start_token import StartGrant, StartTokens
from shared.config.luna_pass import LivenessSection, ThresholdsSection
from shared.config.service import ChecksSection, Config, LimitsSection
from shared.frame.estimation import Profile
from shared.wire.messages import Opened
from shared.wire.protocol import CloseCode, Codec, Command, ProtocolError
from tests.support.quiet_links import QuietLink, quiet_sessions


@dataclass
class DeafSocket:
    """A client that never reads, so nothing sent arrives."""

    aborted: bool = False
    received_bytes: int = 0
    request: None = None
    remote_address: tuple[str, int] = ("192.0.2.1", 1)
    sent: list[str] = field(default_factory=list)
    closed: CloseCode | None = None

    @property
    def transport(self) -> DeafSocket:
        return self

    def get_write_buffer_size(self) -> int:
        return 1

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, name: str) -> None:
        return None

    def prepare_close(self, queued: int) -> None:
        pass

    def measure(self, address: str, overflow: object) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def close(self, code: CloseCode, reason: str) -> None:
        self.closed = code


def connection(**limits: Any) -> tuple[Connection, DeafSocket]:
    config = Config(LIMITS=LimitsSection(**limits))
    socket = DeafSocket()
    return Connection(
        cast(Any, socket), quiet_sessions(config), StartTokens(config), config
    ), socket


async def test_answers_unread() -> None:
    """One byte more than ``queuedBytes`` breaks the connection, and nothing more is queued."""
    made, socket = connection(queuedBytes=100)
    made.outbox.send("x" * 100)
    assert not socket.aborted
    made.outbox.send("x")
    assert socket.aborted


def granted(config: Config) -> dict[str, Any]:
    """Return the headers of CONNECTED."""
    sessions = quiet_sessions(config)
    session, token = sessions.begin("192.0.2.1", mirrored=False, client="null")
    made = Connection(cast(Any, DeafSocket()), sessions, StartTokens(config), config)
    headers: dict[str, Any] = json.loads(made._connected(session, token, 10))["headers"]
    return headers


async def test_connected_has_the_geometry_of_a_frame() -> None:
    """A client draws its outline for the face from the service's own thresholds.

    If the service rotates frames there is none, because the client shows them unrotated.
    """
    thresholds = ThresholdsSection(faceWidth=150)
    upright = Config(LIVENESS=LivenessSection(THRESHOLDS=thresholds))
    assert granted(upright)["geometry"] == {
        "frameWidth": 320,
        "frameHeight": 240,
        "faceWidth": 150,
        "faceHeight": 200,
        "frameMargin": 10,
        "faceShare": 0.85,
    }
    assert "geometry" not in granted(Config(CHECKS=ChecksSection(rotate=90)))


async def test_an_idle_client_is_closed() -> None:
    """Silence longer than ``idleSeconds`` ends the connection with its own code."""
    made, _ = connection(idleSeconds=10.0)
    made.check_idle(made.last_heard + 9)
    assert made.outbox.close_code is None
    made.check_idle(made.last_heard + 11)
    assert made.outbox.close_code is CloseCode.IDLE


@pytest.mark.parametrize(("rate", "closed"), [(8000, False), (2000, False), (500, True)])
async def test_a_slow_frame_is_no_silence(rate: int, closed: bool) -> None:
    """At 64 kbit/s a frame may take longer than ``idleSeconds``; a trickle gains no time."""
    made, socket = connection(idleSeconds=10.0)
    for seconds in range(60):
        socket.received_bytes = seconds * rate
        made.check_idle(made.last_heard + seconds)
    assert (made.outbox.close_code is CloseCode.IDLE) == closed


async def test_a_stalled_frame_is_silence() -> None:
    """The time gained by its bytes is used up."""
    made, socket = connection(idleSeconds=10.0)
    socket.received_bytes = 40_000
    made.check_idle(made.last_heard + 29)
    assert made.outbox.close_code is None
    made.check_idle(made.last_heard + 31)
    assert made.outbox.close_code is CloseCode.IDLE


async def test_bytes_are_counted_not_characters() -> None:
    """A text of 60 characters with two bytes each exceeds a limit of 100 bytes."""
    made, socket = connection(queuedBytes=100)
    made.outbox.send("é" * 50)
    assert not socket.aborted
    made.outbox.send("é" * 10)
    assert socket.aborted


@pytest.mark.parametrize(("size", "announced"), [(ANNOUNCED_BYTES, False), (267_000, True)])
async def test_a_large_result_is_announced(size: int, announced: bool) -> None:
    """The HEARTBEAT before it has its size, because a browser does not see partial messages."""
    sessions = quiet_sessions()
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    socket = DeafSocket()
    made = Connection(cast(Any, socket), sessions, StartTokens(Config()), Config())
    session.attach(made.outbox, 1)
    session.decide("R" * size)
    session.release()
    session.deliver()
    await made.outbox.write()
    *before, result = socket.sent
    assert result == "R" * size
    heartbeat = Codec.encode(Command.HEARTBEAT, {"result-bytes": size})
    assert before == ([heartbeat] if announced else [])


async def test_a_verdict_may_exceed_the_queue() -> None:
    """RESULT is written, in order, even if the total exceeds ``queuedBytes``."""
    config = Config(LIMITS=LimitsSection(queuedBytes=100))
    sessions = quiet_sessions(config)
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    socket = DeafSocket()
    made = Connection(cast(Any, socket), sessions, StartTokens(config), config)
    session.attach(made.outbox, 1)
    made.outbox.send("S" * 90)
    session.decide("R" * 50)
    session.release()
    session.deliver()
    assert not socket.aborted
    await made.outbox.write()
    assert socket.sent == ["S" * 90, "R" * 50]
    assert socket.closed is CloseCode.VERDICT


@pytest.mark.parametrize("before", [[], [Codec.encode(Command.HEARTBEAT)] * 3])
async def test_an_error_in_a_frame_closes_with_1011(
    before: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Alone or after other messages: closed in order and logged, without a RESULT or ERROR.

    The session waits for its client to return.
    """
    config = Config()

    def known(session: Session) -> None:
        session.acknowledge(Opened(session.id, Profile.PASSIVE))

    def broken(session: Session, data: bytes) -> NoReturn:
        raise RuntimeError("a secret")

    sessions = quiet_sessions(config, QuietLink(known))
    sessions.frames.accept = broken  # type: ignore[method-assign]

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        await Connection(socket, sessions, StartTokens(config), config).run()

    sockets = ClientSockets(config.LIMITS, max_open=10)
    async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
            await client.send(Codec.encode(Command.CONNECT))
            await client.recv()
            for message in (*before, b"picture"):
                await client.send(message)
            with contextlib.suppress(ConnectionClosedError):  # 1011 raises it
                async for text in client:
                    assert "secret" not in str(text)
    assert (client.close_code, client.close_reason) == (CloseCode.INTERNAL, "")
    assert "a secret" in caplog.text
    (session,) = sessions.all()
    assert session.outlet is None


async def test_resumptions_are_counted_anew_after_the_verdict() -> None:
    """Resumptions used up before the verdict do not withhold RESULT from the client.

    Until the verdict is released, nothing shows that there is one.
    """
    sessions = quiet_sessions()
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")

    def resume() -> None:
        made, _ = connection()
        session.attach(made.outbox, 2)
        session.detach(made.outbox)

    for _ in range(3):
        resume()
    with pytest.raises(ProtocolError, match="too often"):
        resume()
    session.reconnects = 2
    session.decide("RESULT")
    with pytest.raises(ProtocolError, match="too often"):
        resume()
    session.release()
    resume()
    resume()
    with pytest.raises(ProtocolError, match="too often"):
        resume()


async def test_a_refused_resumption_leaves_the_connection_open() -> None:
    """It does not count as a resumption either."""
    session, _ = quiet_sessions().begin("192.0.2.1", mirrored=False, client="null")
    working, _ = connection()
    refused, _ = connection()
    session.attach(working.outbox, 0)
    with pytest.raises(ProtocolError, match="too often"):
        session.attach(refused.outbox, 0, "192.0.2.2")
    assert (session.outlet, working.outbox.close_code) == (working.outbox, None)
    assert (session.reconnects, session.address) == (0, "192.0.2.1")


@pytest.mark.parametrize(
    ("headers", "limits", "code"),
    [
        ({"client": []}, {}, "message.malformed"),
        ({}, {"sessionsPerAddress": 1}, "session.too-many"),
    ],
)
async def test_a_refused_session_does_not_use_its_start_token(
    headers: dict[str, Any], limits: dict[str, int], code: str
) -> None:
    """A token is valid once, so it is used only when nothing else prevents the session."""
    start = {"StartToken": {"isEnabled": True, "args": {"key": "s" * 32}}}
    config = Config.model_validate({"LIMITS": limits, "MIDDLEWARES": {"REQUEST": start}})
    used: list[StartGrant] = []

    class Tokens(StartTokens):
        async def verify(self, token: object) -> StartGrant:
            return StartGrant(name="once")

        async def use(self, grant: StartGrant) -> None:
            used.append(grant)

    socket: Any = DeafSocket()
    sessions = quiet_sessions(config)
    made = Connection(socket, sessions, Tokens(config), config)
    sessions.begin(made._address, mirrored=False, client="null")
    with pytest.raises(ProtocolError) as refused:
        await made._grant({"start-token": "once", **headers})
    assert refused.value.code == code
    assert used == []
