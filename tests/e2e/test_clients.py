"""Both Python clients against the running service get a verdict, even if a gateway is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import jwt
import pytest
from websockets.asyncio.server import serve

from lunapass_client import Answer, Client, NoVerdict, Refused, SyncClient, Unreachable
from shared.wire.protocol import Command
from tests.machines.proxies import certificate
from tests.support.service import KEY, ROOT, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(UNPACED) as started:
        yield started


def frames(person: int, *, pause: float = 0.02) -> Iterator[bytes]:
    """Yield frames; those from number 20 on are live."""
    for number in range(200):
        time.sleep(pause)
        yield stamped_jpeg(person, min(number, 200))


async def paced_frames(person: int) -> AsyncIterator[bytes]:
    for number in range(400):
        await asyncio.sleep(0.02)
        yield stamped_jpeg(person, min(number, 200))


def test_the_synchronous_client_returns_a_token(service: Service) -> None:
    """A script of five lines gets a verdict that verifies, and each status before it."""
    heard: list[Answer] = []
    with SyncClient(service.url) as client:
        verdict = client.check(frames(21), heard.append)
        session = client.session_id
    assert verdict.accepted
    assert verdict.token is not None
    claims = jwt.decode(verdict.token, KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["sid"] == session
    assert {answer.command for answer in heard} == {Command.STATUS}


async def test_the_asynchronous_client_survives_a_killed_gateway(service: Service) -> None:
    """It resumes, and the verdict is that of its session."""
    killed = False

    def kill_once(answer: Answer) -> None:
        nonlocal killed
        if not killed and answer.seq == 5:
            killed = True
            os.kill(service.pids("gateway")[0], signal.SIGKILL)

    async with Client(service.url, resumes=12) as client:
        session = client.session_id
        verdict = await client.check(paced_frames(22), kill_once)
    assert killed
    assert verdict.accepted
    assert verdict.token is not None
    claims = jwt.decode(verdict.token, KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["sid"] == session


def test_too_few_frames_are_an_error(service: Service) -> None:
    """A client that stops too early gets an error and does not wait."""
    service.wait_ready()
    with SyncClient(service.url) as client, pytest.raises(NoVerdict):
        client.check([stamped_jpeg(23, 1)])


EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module", params=["node", "go"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a client in the integration guide."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed on this machine")
    if request.param == "node":
        return ["node", "--experimental-websocket", str(EXAMPLES / "client.mjs")]
    folder = tmp_path_factory.mktemp("go")
    shutil.copy(EXAMPLES / "client.go", folder)
    for words in (["mod", "init", "kiosk"], ["get", "github.com/gorilla/websocket@v1.5.3"]):
        done = subprocess.run(["go", *words], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"go {words[0]}: {done.stderr}")
    subprocess.run(["go", "build", "client.go"], cwd=folder, check=True)
    return [str(folder / "client")]


def check_files(
    example: list[str], service: Service, numbers: range, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the client on frames with these numbers; those from number 20 on are live."""
    files = [folder / f"{number}.jpg" for number in numbers]
    for number, file in zip(numbers, files, strict=True):
        file.write_bytes(stamped_jpeg(24, number))
    command = [*example, service.url, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_client_of_the_guide_gets_a_token(
    example: list[str], service: Service, tmp_path: Path
) -> None:
    """It sends images until one is accepted, and prints a token that verifies."""
    done = check_files(example, service, range(18, 22), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["frame 1", "frame 2", "frame 3"]
    accepted, token = lines[-1].split()
    assert accepted == "accepted"
    assert jwt.decode(token, KEY, algorithms=["HS256"], issuer="lunapass")["isOk"]


def test_a_client_of_the_guide_fails_without_an_accepted_image(
    example: list[str], service: Service, tmp_path: Path
) -> None:
    """Its exit status is 1, and it prints the codes."""
    done = check_files(example, service, range(2), tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "refused, codes [40]"


async def test_a_wrong_token_is_refused(service: Service) -> None:
    """The client raises the service's refusal with its code."""
    async with Client(service.url, session_id="0" * 32, resume_token="0" * 32) as client:
        with pytest.raises(Refused, match=r"session\.unknown"):
            await client.check([stamped_jpeg(24, 1)])


SHORT = 2.0
"""Seconds of silence that these clients tolerate: more than a busy machine needs for an answer."""


class Relay:
    """A TCP relay to the service that can go silent: open connections then transfer nothing."""

    def __init__(self, service: Service) -> None:
        self._target = service.port
        self._silent: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Relay until the block ends; yield the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()

    def fall_silent(self) -> None:
        """Transfer nothing more on the open connections."""
        self._silent |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, back}
        await asyncio.gather(self._carry(reader, back), self._carry(onward, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if writer not in self._silent:
                    writer.write(data)
        if writer not in self._silent:
            writer.close()


def silent_once(relay: Relay) -> tuple[threading.Event, Callable[[Answer], None]]:
    """Silence a relay after the third frame."""
    done = threading.Event()

    def hear(answer: Answer) -> None:
        if answer.seq == 3 and not done.is_set():
            done.set()
            relay.fall_silent()

    return done, hear


async def test_a_dead_connection_is_replaced(service: Service) -> None:
    """The network drops all packets: both clients notice, and resume the same session."""
    relay = Relay(service)
    async with relay.listening() as port:
        url = f"ws://127.0.0.1:{port}/ws"
        done, hear = silent_once(relay)
        async with Client(url, patience=SHORT) as client:
            session = client.session_id
            verdict = await client.check(paced_frames(25), hear)
            assert verdict.accepted
            assert client.session_id == session
        assert done.is_set()

        def play() -> bool:
            with SyncClient(url, patience=SHORT) as client:
                return client.check(frames(26), again).accepted

        done, again = silent_once(relay)
        assert await asyncio.to_thread(play)
        assert done.is_set()


async def test_clients_trust_only_the_given_certificates(service: Service, tmp_path: Path) -> None:
    """Both clients accept a private certificate authority and no other."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate(tmp_path))
    trusted = ssl.create_default_context(cafile=str(tmp_path / "lunapass.pem"))
    async with Relay(service).listening(server) as port:
        url = f"wss://127.0.0.1:{port}/ws"
        with pytest.raises(Unreachable) as refused:
            await Client(url).__aenter__()
        assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)
        async with Client(url, tls=trusted) as client:
            assert (await client.check(paced_frames(27))).accepted

        def play() -> bool:
            with SyncClient(url, tls=trusted) as client:
                return client.check(frames(28)).accepted

        assert await asyncio.to_thread(play)


async def test_an_unanswered_client_leaves_no_thread() -> None:
    """A synchronous client that gets no session closes everything it opened."""

    def play(port: int) -> None:
        before = threading.active_count()
        with pytest.raises(TimeoutError):
            SyncClient(f"ws://127.0.0.1:{port}/ws", patience=0.3).__enter__()
        # A thread ends a little after the request to stop.
        wait_for(lambda: threading.active_count() == before)

    async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0) as silent:
        await asyncio.to_thread(play, next(iter(silent.sockets)).getsockname()[1])
