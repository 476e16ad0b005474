"""The examples of a relying party's server start a check and accept its verdict once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.web.start_token import StartTokens
from shared.config.luna_pass import JwtSection
from shared.config.service import Config
from shared.signing import Signer
from tests.support.clock import SettableClock
from tests.support.ports import free_port
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
EXPRESS = ROOT / "build" / "express" / "node_modules"
START_KEY, VERDICT_KEY = "start-" * 8, "verdict-" * 8
KEYS = {"START_KEY": START_KEY, "VERDICT_KEY": VERDICT_KEY, "LOGIN_KEY": "login"}
COMMANDS = {
    "flask": [sys.executable, "-m", "flask", "--app", "server_flask", "run", "--port"],
    "fastapi": [sys.executable, "-m", "uvicorn", "server_fastapi:app", "--port"],
    "express": ["node", "server_express.mjs"],
    "go": ["./server"],
}
PACKAGES = {"flask": "flask", "fastapi": "uvicorn"}


def require_installed(framework: str) -> None:
    if framework in PACKAGES and not (find_spec(framework) and find_spec(PACKAGES[framework])):
        pytest.skip(f"{framework} is not installed on this machine")
    if framework == "express" and not (shutil.which("node") and EXPRESS.is_dir()):
        pytest.skip("express is not installed on this machine: make build/express/.installed")
    if framework == "go" and shutil.which("go") is None:
        pytest.skip("go is not installed on this machine")


@pytest.fixture(scope="module", params=COMMANDS)
def example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A framework, and a folder with its example."""
    require_installed(request.param)
    folder = tmp_path_factory.mktemp("server")
    for file in EXAMPLES.iterdir():
        shutil.copy(file, folder)
    if request.param == "express":
        (folder / "node_modules").symlink_to(EXPRESS)
    if request.param == "go":
        build = ["go", "build", "-o", "server", "server.go", "verify.go"]
        subprocess.run(build, cwd=folder, check=True, timeout=300)
    return request.param, folder


@contextmanager
def started(example: tuple[str, Path], **keys: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start an example; return its process and its address."""
    framework, folder = example
    port = str(free_port())
    variables = {**KEYS, "PORT": port, **keys}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*COMMANDS[framework], port],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def server(example: tuple[str, Path]) -> Iterator[str]:
    """The address of a running example."""
    with started(example) as (_, url):
        wait_for(lambda: answers(url), 60)
        yield url


def answers(url: str) -> bool:
    try:
        return httpx.post(f"{url}/start").status_code == 401
    except httpx.TransportError:
        return False


@contextmanager
def logged_in(server: str, person: str) -> Iterator[httpx.Client]:
    """Return a client in which a person is logged in."""
    with httpx.Client(base_url=server, timeout=60) as page:
        assert page.post("/login", params={"person": person}).status_code == 200
        yield page


async def verdict_of(start: str, **changed: Any) -> str:
    """Return the token of the session that a start token starts."""
    plugin = {"isEnabled": True, "args": {"key": START_KEY}}
    config = Config.model_validate({"MIDDLEWARES": {"REQUEST": {"StartToken": plugin}}})
    clock = SettableClock(time.time() - 60)
    service = StartTokens(config, clock=clock)
    clock.advance(60)
    grant = await service.verify(start)
    now = int(time.time())
    claims = {"isOk": True, "iss": "lunapass", "iat": now, "exp": now + 300, "sid": "5" * 32}
    unique = {"jti": os.urandom(8).hex(), "bestshot": "A" * 250_000}
    signed = {**claims, **unique, **json.loads(grant.claims), **changed}
    return Signer(JwtSection.model_validate({"key": VERDICT_KEY})).sign(signed)


async def test_a_verdict_is_accepted_once(server: str) -> None:
    """The service accepts the start token; the server accepts the verdict's token, of 250 kB."""
    with logged_in(server, "anna") as page:
        token = await verdict_of(page.post("/start").text)
        accepted = page.post("/verdict", content=token)
        assert (accepted.status_code, accepted.json()) == (200, {"person": "anna"})
        assert page.post("/verdict", content=token).status_code == 403
        page.post("/start")
        assert page.post("/verdict", content=token).status_code == 403


async def test_a_verdict_of_another_person_or_kiosk_is_refused(server: str) -> None:
    """It must belong to the person who is logged in and to the place of the check."""
    with logged_in(server, "anna") as anna, logged_in(server, "berta") as berta:
        berta.post("/start")
        token = await verdict_of(anna.post("/start").text)
        assert berta.post("/verdict", content=token).status_code == 403
        moved = await verdict_of(anna.post("/start").text, kiosk="door 3")
        assert anna.post("/verdict", content=moved).status_code == 403


@pytest.mark.parametrize("token", ["", "not.a.token", "\xff"])
def test_an_invalid_token_is_refused(server: str, token: str) -> None:
    """The server answers with a refusal, not with an internal error."""
    with logged_in(server, "anna") as page:
        page.post("/start")
        assert page.post("/verdict", content=token.encode("latin-1")).status_code == 403


@pytest.mark.parametrize("path", ["/start", "/verdict"])
def test_without_a_login_every_request_is_refused(server: str, path: str) -> None:
    """The person is never taken from the request."""
    assert httpx.post(f"{server}{path}?person=anna", content="{}").status_code == 401


@pytest.mark.parametrize("keys", [{"VERDICT_KEY": ""}, {"START_KEY": "x" * 31}], ids=list)
def test_a_short_secret_prevents_the_start(example: tuple[str, Path], keys: dict[str, str]) -> None:
    """Anyone could sign verdicts with an empty one."""
    with started(example, **keys) as (process, url):
        wait_for(lambda: process.poll() is not None or answers(url), 60)
        assert process.poll() not in (None, 0)
        assert "32 bytes" in (example[1] / "log").read_text()
