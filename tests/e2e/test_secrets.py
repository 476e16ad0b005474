"""Each role has only its own secrets: an attacker in a worker or gateway finds no signing key."""

from __future__ import annotations

import base64
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lunapass_client import Client
from tests.machines.machine import wait_until
from tests.support.memory import found_in, shown_of
from tests.support.service import KEY, Service, running
from tests.support.stamp import stamped_jpeg

ROLES = ("worker", "gateway", "aggregator")
SECRETS = f"""
[MIDDLEWARES.REQUEST.BasicAuth]
args.password = "{os.urandom(16).hex()}"
[MIDDLEWARES.WS.VideoRedis]
args.connectionString = "redis://:{os.urandom(16).hex()}@127.0.0.1"
[MIDDLEWARES.WS.Callbacks]
args.key = "{os.urandom(16).hex()}"
"""


@dataclass
class Held:
    """A running service, and its secrets as they appear in memory."""

    service: Service
    key: list[bytes]
    password: bytes
    of_aggregator: list[bytes]


@pytest.fixture(scope="module", params=["inline", "key file", "environment"])
def held(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Held]:
    """A service for each way to give it its signing key."""
    forms = [KEY.encode()]
    environment = {}
    if request.param == "key file":
        file = tmp_path_factory.mktemp("key") / "key.pem"
        forms = make_key(file)
        environment = {"ALGORITHM": "ES256", "KEY": f"file:{file}"}
    elif request.param == "environment":
        environment = {"KEY": os.urandom(24).hex()}
        forms = [environment["KEY"].encode()]
    password, *of_aggregator = re.findall(r'"(.+)"', SECRETS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(f"LUNAPASS__LUNA_PASS__JWT__{name}", value)
        with running(SECRETS, workers=1) as service:
            yield Held(service, forms, password.encode(), [t.encode() for t in of_aggregator])


def make_key(file: Path) -> list[bytes]:
    """Make a private key; return its file's lines, and its number as libraries store it."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    file.chmod(0o600)
    number = key.private_numbers().private_value
    body = pem.splitlines()[1:-1]
    numbers = [number.to_bytes(32, order) for order in ("big", "little")]
    return [*(line for line in body if len(line) > 40), base64.b64decode(b"".join(body)), *numbers]


async def test_the_service_works(held: Held) -> None:
    """A session is accepted, so every role has worked with its secrets."""
    async with Client(held.service.url) as client:
        await client.send_frame(stamped_jpeg(1, 50))
        await client.receive()
        assert (await client.receive()).body["isOk"]


@pytest.mark.parametrize("role", ["worker", "gateway"])
def test_no_signing_key_in_memory(held: Held, role: str) -> None:
    """Neither its text nor its number is found, except in the aggregator, which signs."""
    (pid,), (signing,) = held.service.pids(role), held.service.pids("aggregator")
    assert found_in(signing, held.key)
    assert found_in(pid, held.key) == set()


def test_other_secrets_are_only_where_they_are_needed(held: Held) -> None:
    """The pages' password is in the gateway, and those of Redis and Callbacks in the aggregator."""
    secrets = [held.password, *held.of_aggregator]
    found = {role: found_in(held.service.pids(role)[0], secrets) for role in ROLES}
    assert found == {
        "worker": set(),
        "gateway": {held.password},
        "aggregator": set(held.of_aggregator),
    }


@pytest.mark.parametrize("role", ROLES)
def test_no_secret_is_visible_to_other_users(held: Held, role: str) -> None:
    """It is neither on a command line nor in an environment, however it was given."""
    (pid,) = held.service.pids(role)
    for name in ("cmdline", "environ"):
        shown = shown_of(pid, name)
        for secret in (*held.key, held.password, *held.of_aggregator):
            assert secret not in shown


def test_a_restarted_worker_has_no_key(held: Held) -> None:
    """It gets its part in the same way as at first."""
    (pid,) = held.service.pids("worker")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: held.service.pids("worker") not in ([], [pid]), "a new worker")
    held.service.wait_ready()
    (fresh,) = held.service.pids("worker")
    assert found_in(fresh, [*held.key, held.password, *held.of_aggregator]) == set()
