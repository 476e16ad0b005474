"""An intruder that reaches the sockets between the roles gets no verdict and no frame.

Over TCP the intruder is another machine, at a socket file a process of the service's own user.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import zmq

from lunapass_client import Client
from shared.config.service import TransportKeysSection
from shared.frame.estimation import Capabilities
from shared.wire import curve
from shared.wire.messages import Done, Job, Judgement, Open, Ready, SlabOffer, decode, encode
from tests.support.curve import new_keys
from tests.support.judge import DIGEST, SESSION, FakeGateway, live
from tests.support.memory import found_in
from tests.support.service import KEY, ROOT, UNPACED, Service, free_port, running
from tests.support.stamp import stamped_jpeg

PATIENT = "[SUPERVISOR]\nwatchdogSeconds = 60.0\n"
"""A suspended worker is not replaced during a test."""
Prepare = Callable[[zmq.Socket[bytes]], None]


@dataclass
class Site:
    """A service, the keys of its roles and the addresses of its sockets."""

    service: Service
    keys: TransportKeysSection
    workers: str
    aggregator: str

    def intruder(self, kind: str, server: str) -> Prepare:
        """Return the function that gives a socket the keys of this kind of intruder."""
        if kind == "no key":
            return lambda _: None
        if kind == "a key of its own":
            return lambda socket: with_new_key(socket, curve.public_key(self.keys, server))
        return lambda socket: curve.secure_client(socket, self.keys, kind, server)


def with_new_key(socket: zmq.Socket[bytes], server: bytes) -> None:
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.curve_serverkey = server


@pytest.fixture(scope="module", params=["tcp", "ipc"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    start = over_tcp if request.param == "tcp" else over_ipc
    with start(tmp_path_factory.mktemp("keys")) as started:
        yield started


@contextlib.contextmanager
def over_tcp(directory: Path) -> Iterator[Site]:
    """Run a service with new keys in a folder."""
    keys = new_keys(directory)
    workers, aggregator = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    lines = f'workers = "{workers}"\naggregator = "{aggregator}"\n'
    with running(lines + section(keys) + UNPACED + PATIENT, workers=1) as service:
        yield Site(service, keys, workers, aggregator)


@contextlib.contextmanager
def over_ipc(directory: Path) -> Iterator[Site]:
    """Run a service whose keys are known to the test."""
    keys = new_keys(directory)
    with running(section(keys) + UNPACED + PATIENT, workers=1) as service:
        yield Site(service, keys, *socket_files(service))


@pytest.fixture(scope="module")
def unconfigured() -> Iterator[Site]:
    """A service without keys in its configuration."""
    with running(UNPACED + PATIENT, workers=1) as service:
        yield Site(service, TransportKeysSection(), *socket_files(service))


def socket_files(service: Service) -> Iterator[str]:
    """Return the default addresses of the sockets."""
    return (f"ipc://{service.directory}/run/{name}.sock" for name in ("workers", "aggregator"))


def section(keys: TransportKeysSection) -> str:
    """Return the keys as ``lunapass config key --transport`` prints them."""
    lines = ["[TRANSPORT.KEYS]"]
    for name in TransportKeysSection.model_fields:
        value = getattr(keys, name)
        text = value if isinstance(value, str) else value.get_secret_value()
        lines.append(f'{name} = "{text}"')
    return "\n".join(lines) + "\n"


async def test_the_roles_work_together(site: Site) -> None:
    """The control: a session is accepted."""
    async with Client(site.service.url) as client:
        await client.send_frame(stamped_jpeg(1, 50))
        assert (await client.receive()).body["isOk"]
        assert (await client.receive()).body["isOk"]


async def invented_token(site: Site, prepare: Prepare, seconds: float = 4) -> str | None:
    """Pose as a gateway and report a frame that no worker judged; return the token, if any."""
    gateway = FakeGateway(site.aggregator, "intruder", prepare)
    try:
        async with asyncio.timeout(seconds):
            await gateway.hello()
            gateway.send(Open(gateway.incarnation, SESSION, 1000.0, 7, DIGEST))
            gateway.judge(1, live(), b"a face of my choice")
            while not isinstance(verdict := await gateway.receive(), Judgement):
                pass
            return str(json.loads(verdict.result or "{}")["body"]["jwt"])
    except TimeoutError:
        return None
    finally:
        gateway.close()


def claims(token: str) -> Any:
    """Return a token's claims if the service signed it; the invented session is an old one."""
    return jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False})


async def invented_tokens(site: Site, kinds: Sequence[str]) -> dict[str, Any]:
    """Return the claims of the token that each kind of intruder gets, if it gets one."""
    attacks = (invented_token(site, site.intruder(kind, "aggregator")) for kind in kinds)
    tokens = await asyncio.gather(*attacks)
    return {kind: token and claims(token) for kind, token in zip(kinds, tokens, strict=True)}


async def test_an_invented_session_gets_no_token(site: Site) -> None:
    """The intruder has no key, a key of its own, or that of a compromised worker."""
    kinds = ["no key", "a key of its own", "worker"]
    assert await invented_tokens(site, kinds) == dict.fromkeys(kinds)


async def test_without_configured_keys_an_invented_session_gets_no_token(
    unconfigured: Site,
) -> None:
    """A process of the service's user opens the socket file.

    The keys were generated at start-up.
    """
    assert await invented_tokens(unconfigured, ["no key"]) == {"no key": None}


@pytest.mark.parametrize("start", [over_tcp, over_ipc], ids=["tcp", "ipc"])
async def test_the_gateway_key_would_get_a_token(
    tmp_path: Path, start: Callable[[Path], AbstractContextManager[Site]]
) -> None:
    """The control: the attack works with the gateway's secret key."""
    with start(tmp_path) as site:
        token = await invented_token(site, site.intruder("gateway", "aggregator"), seconds=30)
    assert token is not None
    assert claims(token)["isOk"]


async def judge_all(address: str, prepare: Prepare, seconds: float) -> list[Any]:
    """Pose as a worker that finds every frame live; return the gateway's messages."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    got: list[Any] = []
    with context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        prepare(socket)
        socket.connect(address)
        ready = Ready("worker-9", os.getpid(), 8, Capabilities(True, False, "x"))
        with contextlib.suppress(zmq.Again):  # no connection: it was refused
            socket.send(encode(ready), zmq.DONTWAIT)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not await asyncio.to_thread(socket.poll, 200):
                continue
            message = decode(socket.recv())
            got.append(message)
            if isinstance(message, SlabOffer):
                offered = Ready(ready.name, ready.pid, 8, ready.capabilities, message.slab)
                socket.send(encode(offered))
            elif isinstance(message, Job):
                estimate = encode(live())
                socket.send(
                    encode(Done(message.lease, message.slot, message.generation, True, estimate))
                )
    return got


async def frames_taken(site: Site, kinds: Sequence[str]) -> dict[str, list[Any]]:
    """Suspend the only worker; return what each kind of intruder receives as a worker.

    A frame sent meanwhile is not accepted on the word of an intruder.
    """
    (worker,) = site.service.pids("worker")
    attacks = (judge_all(site.workers, site.intruder(kind, "gateway"), seconds=6) for kind in kinds)
    async with Client(site.service.url) as client:
        os.kill(worker, signal.SIGSTOP)
        try:
            attacking = asyncio.gather(*attacks)
            await asyncio.sleep(3.5)  # until the gateway gives the worker up
            await client.send_frame(stamped_jpeg(1, 1))
            heard = await attacking
        finally:
            os.kill(worker, signal.SIGCONT)
        answer = await client.receive()
    assert not answer.body["isOk"]
    await asyncio.to_thread(site.service.wait_ready)
    return dict(zip(kinds, heard, strict=True))


async def test_an_invented_worker_gets_no_frame(site: Site) -> None:
    """The intruder has no key, a key of its own, or that of a compromised aggregator."""
    kinds = ["no key", "a key of its own", "aggregator"]
    assert await frames_taken(site, kinds) == {kind: [] for kind in kinds}


async def test_without_configured_keys_an_invented_worker_gets_no_frame(
    unconfigured: Site,
) -> None:
    """It opens the socket file; the keys were generated at start-up."""
    assert await frames_taken(unconfigured, ["no key"]) == {"no key": []}


def test_each_role_has_only_its_own_key(site: Site) -> None:
    """An attacker in a worker finds neither the gateway's key nor the aggregator's."""
    secrets = {
        role: curve.own_pair(site.keys, role)[1] for role in ("gateway", "worker", "aggregator")
    }
    for role, own in secrets.items():
        (pid,) = site.service.pids(role)
        assert found_in(pid, secrets.values()) == {own}


def test_tcp_without_keys_does_not_start(tmp_path: Path) -> None:
    """The message says what to do."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[LUNA_PASS.JWT]\nkey = "{KEY}"\n[TRANSPORT]\nworkers = "tcp://127.0.0.1:{free_port()}"\n'
    )
    for command in (["run"], ["worker"], ["gateway"], ["aggregator"], ["config", "check"]):
        option = [str(config)] if command[0] == "config" else ["--config", str(config)]
        done = subprocess.run(
            [sys.executable, "-m", "lunapass", *command, *option],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "lunapass config key --transport" in done.stderr
        assert "Traceback" not in done.stderr
