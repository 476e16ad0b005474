"""Sockets between roles: both ends accept only a peer with the right key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq
from pydantic import SecretStr

from shared.config.service import Config, TransportKeysSection, TransportSection
from shared.errors import ConfigError, ResourceError
from shared.wire import curve
from shared.wire.lines import AGGREGATOR, LINES, ROLES, WORKERS, Line
from shared.wire.transport import Channel, connect, serve
from tests.support.curve import new_keys
from tests.support.log import logged
from tests.support.service import free_port

WAIT = 0.4
"""Seconds that are more than enough for a message to arrive."""


@pytest.fixture
def keys(tmp_path: Path) -> TransportKeysSection:
    return new_keys(tmp_path / "keys")


def configured(keys: TransportKeysSection, address: str) -> Config:
    return Config(TRANSPORT=TransportSection(workers=address, aggregator=address, KEYS=keys))


@dataclass
class Server:
    """A server socket and the messages that it received."""

    config: Config
    channel: Channel
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture(params=[WORKERS, AGGREGATOR], ids=["workers over ipc", "aggregator over tcp"])
async def line(request: pytest.FixtureRequest) -> Line:
    made: Line = request.param
    return made


@pytest.fixture
async def address(line: Line, tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/line" if line == WORKERS else f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
async def server(keys: TransportKeysSection, line: Line, address: str) -> AsyncIterator[Server]:
    config = configured(keys, address)
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    heard: list[bytes] = []

    def hear(peer: bytes, message: bytes) -> None:
        heard.append(message)
        channel.send(b"answer", peer)

    channel = serve(socket, config, line, hear)
    yield Server(config, channel, heard)
    channel.close()


async def answered(socket: zmq.Socket[bytes], wait: float = WAIT) -> bool:
    """Send a message; return whether an answer arrives."""
    socket.send(b"question", zmq.DONTWAIT)
    return bool(await asyncio.to_thread(socket.poll, int(1000 * wait)))


async def test_the_right_client_gets_an_answer(server: Server, line: Line) -> None:
    """This is the positive control."""
    with dealer() as client:
        connect(client, server.config, line)
        assert await answered(client, 60)
        assert server.heard == [b"question"]


def dealer() -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    return socket


def without_keys(socket: zmq.Socket[bytes], keys: TransportKeysSection, line: Line) -> None:
    """Connect without encryption."""


def with_its_own_key(socket: zmq.Socket[bytes], keys: TransportKeysSection, line: Line) -> None:
    """Use the server's public key, which is not secret, and a new key pair."""
    public, secret = zmq.curve_keypair()
    socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.curve_serverkey = curve.public_key(keys, line.server)


def with_another_roles_key(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, line: Line
) -> None:
    """Use another role's key: a worker as a gateway, an aggregator as a worker."""
    (other,) = set(ROLES) - {line.server, line.client}
    curve.secure_client(socket, keys, other, line.server)


def with_the_public_key_alone(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, line: Line
) -> None:
    """Use the client's public key without its secret key."""
    _, secret = zmq.curve_keypair()
    socket.curve_publickey, socket.curve_secretkey = curve.public_key(keys, line.client), secret
    socket.curve_serverkey = curve.public_key(keys, line.server)


INTRUDERS = [without_keys, with_its_own_key, with_another_roles_key, with_the_public_key_alone]


@pytest.mark.parametrize("intrude", INTRUDERS, ids=lambda intrude: intrude.__name__)
@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.ROUTER, zmq.REQ], ids=lambda kind: kind.name)
async def test_messages_of_an_intruder_are_dropped(
    server: Server,
    line: Line,
    address: str,
    keys: TransportKeysSection,
    kind: zmq.SocketType,
    intrude: object,
) -> None:
    """It may use any mechanism and any wrong key; the right client is still served."""
    assert callable(intrude)
    with zmq.Context.instance().socket(kind) as socket, dealer() as client:
        socket.setsockopt(zmq.LINGER, 0)
        intrude(socket, keys, line)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.CONNECT_ROUTING_ID, b"server")
            socket.connect(address)
            socket.send_multipart([b"server", b"question"])
        else:
            socket.connect(address)
            socket.send(b"question")
        await asyncio.sleep(WAIT)
        assert server.heard == []
        connect(client, server.config, line)
        assert await answered(client, 60)
        assert server.heard == [b"question"]


@pytest.mark.parametrize("impostor", ["plain", "own key"])
async def test_a_client_sends_nothing_to_an_impostor(
    keys: TransportKeysSection, line: Line, address: str, impostor: str
) -> None:
    """Another program listens at the server's address."""
    with zmq.Context.instance().socket(zmq.ROUTER) as socket, dealer() as client:
        if impostor == "own key":
            _, secret = zmq.curve_keypair()
            socket.curve_server, socket.curve_secretkey = True, secret
        socket.bind(address)
        connect(client, configured(keys, address), line)
        client.send(b"question")
        assert not await asyncio.to_thread(socket.poll, int(1000 * WAIT))


async def test_without_a_guard_no_client_is_accepted(server: Server, line: Line) -> None:
    """The server fails closed."""
    guard = server.channel._guard
    assert guard is not None
    guard.close()
    with dealer() as client:
        connect(client, server.config, line)
        assert not await answered(client)


async def test_an_oversized_message_is_cut_off(server: Server, line: Line) -> None:
    """Memory is allocated for an announced message, even before authentication."""
    limits = server.config.LIMITS
    with dealer() as client:
        connect(client, server.config, line)
        client.send(bytes(limits.frameBytes + limits.bestshotBytes))
        assert await answered(client, 60)
        client.send(bytes(2 * limits.frameBytes + limits.bestshotBytes))
        await asyncio.sleep(WAIT)
    assert max(map(len, server.heard)) == limits.frameBytes + limits.bestshotBytes


async def test_refusals_are_logged_rarely(server: Server, line: Line, address: str) -> None:
    """The 1st, 2nd, 4th, 8th ...: repeated attempts do not fill the disk.

    The line names the address, or for a socket file the peer's user, group and process.
    """
    with logged("shared.wire.curve") as lines:
        for _ in range(5):
            with dealer() as socket:
                with_its_own_key(socket, server.config.TRANSPORT.KEYS, line)
                socket.connect(address)
                await answered(socket)
    counts = [entry["refused"] for entry in lines]
    assert counts == [count for count in (1, 2, 4, 8, 16, 32) if count <= max(counts)]
    process = f"localhost:{os.getuid()}:{os.getgid()}:{os.getpid()}"
    assert {entry["address"] for entry in lines} == {process if line == WORKERS else "127.0.0.1"}


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    """Files have mode 0600; existing files are not overwritten."""
    keys = new_keys(tmp_path / "keys")
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == ["aggregator.key", "gateway.key", "worker.key"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    before = [file.read_bytes() for file in files]
    files.pop().unlink()
    with pytest.raises(ResourceError, match="exists already"):
        new_keys(tmp_path / "keys")
    assert [file.read_bytes() for file in files] == before[:2]
    assert not (tmp_path / "keys" / "worker.key").exists()
    for role in ROLES[::2]:
        assert curve.own_pair(keys, role)[0] == curve.public_key(keys, role)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_open_is_refused(
    tmp_path: Path, keys: TransportKeysSection, mode: int
) -> None:
    """When the role starts and when parts are written, with advice."""
    file = tmp_path / "keys" / "worker.key"
    file.chmod(mode)
    for use in (lambda: curve.own_pair(keys, "worker"), lambda: curve.resolve_transport_keys(keys)):
        with pytest.raises(ConfigError, match=rf"chmod 0600 {file}"):
            use()


def test_unsuitable_keys_are_named(tmp_path: Path, keys: TransportKeysSection) -> None:
    """No key, no file, a damaged key, or one of another role."""
    file = tmp_path / "keys" / "worker.key"
    for content, message in (
        ("", "is empty"),
        ("short", "is not a CurveZMQ key"),
        ("\xff" * 40, "is not UTF-8"),
        ("x" * 200, "is not a CurveZMQ key"),
        ((tmp_path / "keys" / "gateway.key").read_text(), "does not belong to workerPublic"),
    ):
        file.write_bytes(content.encode("latin-1"))
        with pytest.raises(ConfigError, match=message):
            curve.own_pair(keys, "worker")
    file.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        curve.own_pair(keys, "worker")
    with pytest.raises(ConfigError, match="is empty"):
        curve.own_pair(keys.model_copy(update={"workerSecret": SecretStr("")}), "worker")


async def test_two_servers_in_one_process_are_refused(server: Server, line: Line) -> None:
    """ZeroMQ supports one guard per process."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    with pytest.raises(ResourceError, match="zap"):
        serve(socket, server.config, line, lambda *_: None)
    socket.close(linger=0)


async def test_a_taken_address_frees_the_guard(keys: TransportKeysSection) -> None:
    """A failed start leaves nothing behind."""
    with zmq.Context.instance().socket(zmq.ROUTER) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        config = configured(keys, f"tcp://127.0.0.1:{port}")
        for _ in range(2):
            with (
                zmq.Context.instance().socket(zmq.ROUTER) as socket,
                pytest.raises(ResourceError, match=f"127.0.0.1:{port}"),
            ):
                serve(socket, config, AGGREGATOR, lambda *_: None)


async def test_no_socket_works_without_keys(tmp_path: Path) -> None:
    """This includes socket files, which another process of this user could open."""
    config = Config(TRANSPORT=TransportSection(runtimeDirectory=str(tmp_path)))
    for line in LINES:
        with dealer() as client, pytest.raises(ConfigError, match=f"{line.client}Secret.*--part"):
            connect(client, config, line)
        with (
            zmq.Context.instance().socket(zmq.ROUTER) as socket,
            pytest.raises(ConfigError, match=f"{line.server}Secret.*--part"),
        ):
            serve(socket, config, line, lambda *_: None)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.key)
async def test_a_socket_needs_the_public_key_of_its_peer(
    tmp_path: Path, keys: TransportKeysSection, line: Line
) -> None:
    """Otherwise neither end could authenticate the other."""
    address = f"ipc://{tmp_path}/line"

    def lacking(role: str) -> Config:
        return configured(keys.model_copy(update={f"{role}Public": ""}), address)

    with zmq.Context.instance().socket(zmq.ROUTER) as socket:
        with pytest.raises(ConfigError, match=f"{line.server}Public: is empty"):
            connect(socket, lacking(line.server), line)
        with pytest.raises(ConfigError, match=f"{line.client}Public: is empty"):
            serve(socket, lacking(line.client), line, lambda *_: None)


async def test_only_the_user_can_access_a_socket_file(
    tmp_path: Path, keys: TransportKeysSection
) -> None:
    """The default address is a file of mode 0600 in the runtime directory."""
    config = Config(TRANSPORT=TransportSection(runtimeDirectory=str(tmp_path), KEYS=keys))
    for line in LINES:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        channel = serve(socket, config, line, lambda *_: None)
        assert os.stat(tmp_path / f"{line.key}.sock").st_mode & 0o777 == 0o600
        channel.close()


def test_missing_keys_are_generated() -> None:
    """Each start generates new ones; configured and running pairs are reused."""
    made, others = curve.completed(TransportKeysSection()), curve.completed(TransportKeysSection())
    pairs = [curve.own_pair(keys, role) for keys in (made, others) for role in ROLES]
    assert len({secret for _, secret in pairs}) == 6
    assert curve.completed(TransportKeysSection(), made) == made
    assert curve.completed(others, made) == others
    of_gateway = {name: getattr(others, name) for name in ("gatewayPublic", "gatewaySecret")}
    partly = TransportKeysSection.model_validate(of_gateway)
    assert curve.completed(partly, made) == made.model_copy(update=of_gateway)
    elsewhere = TransportKeysSection(aggregatorPublic=others.aggregatorPublic)
    assert curve.completed(elsewhere, made).aggregatorSecret == SecretStr("")
