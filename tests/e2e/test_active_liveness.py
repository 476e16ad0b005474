"""ActiveLiveness with rendered frames, real models and the whole service."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from loadtest.script import Actor
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from lunapass.demo import make_person
from lunapass_client import Client
from shared.codes import PROMPTS, Code
from shared.config.service import Config
from shared.wire.protocol import Command
from tests.support.service import KEY, Service, running

FRAME_SECONDS = 0.2
"""On the person's clock; on the machine's clock a frame takes at least as long."""
SETTINGS = """
[MODELS]  # of the backend onnx
directory = "{models}"
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.FaceMatcher]
isEnabled = 1
[MIDDLEWARES.WS.ActiveLiveness]
isEnabled = 1
args.interactionsCount = 5
args.actionTimeout = {seconds}
args.totalTimeout = 240
"""


@pytest.fixture(scope="module")
def person(models_directory: Path) -> Person:
    pytest.importorskip("skimage", reason="scikit-image (extra demo) is not installed")
    config = Config.model_validate({"MODELS": {"directory": str(models_directory)}})
    return make_person(None, config)


@contextlib.contextmanager
def serving(models: Path, seconds: int) -> Iterator[Service]:
    """Run a service that allows this many seconds for each action."""
    settings = SETTINGS.format(models=models, seconds=seconds)
    with running(settings, workers=1, worker_settings='backend = "onnx"') as started:
        yield started


async def play(service: Service, person: Person, *, obeys: bool) -> tuple[list[int], Any]:
    """Show the person to the service; return the prompts in order and the body of RESULT."""
    actor = Actor(3)
    prompts: list[int] = []
    async with Client(service.url) as client:
        frames = 0
        while True:
            started = time.monotonic()
            look = actor.look(frames * FRAME_SECONDS) if obeys else Look()
            frames += 1
            await client.send_frame(await asyncio.to_thread(person.render_jpeg, look))
            status = await client.receive()
            assert status.command is Command.STATUS
            for code in set(status.body["errors"]) & PROMPTS:
                actor.ask(code)
                prompts += [code] if prompts[-1:] != [code] else []
            if status.body["isOk"] or Code.ACTION_FAILED in status.body["errors"]:
                return prompts, (await client.receive()).body
            await asyncio.sleep(max(0.0, started + FRAME_SECONDS - time.monotonic()))


async def test_a_person_who_obeys_passes_five_actions(
    models_directory: Path, person: Person
) -> None:
    """Each action is prompted; the token has a straight, live best shot of the one person."""
    with serving(models_directory, 200) as patient:
        prompts, result = await play(patient, person, obeys=True)
    assert result["isOk"]
    asks = {code for code in prompts if code in (62, 64, 65, 67, 68)}
    assert len(asks) == 5
    details = jwt.decode(result["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")["details"]
    assert details["activeLiveness"] == {"action": 5, "actions": 5}
    assert details["faceMatcher"]["similarity"] >= 0.5
    assert details["liveness"]["score"] >= 0.5
    assert abs(details["headPose"]["yaw"]) <= 20


async def test_a_still_person_fails(models_directory: Path, person: Person) -> None:
    """Each frame passes every check, but no action is done, so the session ends with code 60."""
    with serving(models_directory, 3) as hasty:
        prompts, result = await play(hasty, person, obeys=False)
    assert len(prompts) == 1
    assert result == {"isOk": False, "jwt": None, "errors": [Code.ACTION_FAILED]}
