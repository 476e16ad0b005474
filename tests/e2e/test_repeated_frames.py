"""One image sent several times is one frame, however many plugins count frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from loadtest.look import Look
from loadtest.person import Person
from lunapass.client import Answer, Client
from lunapass.demo import make_person
from shared.config import Config
from shared.protocol import Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

REPEATED = 72
NOTHING = 0xFFFF
"""A picture without a face, for the stamp backend."""
COUNTING = """
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.Result]
isEnabled = 1
[MIDDLEWARES.WS.AggregateLiveness]
isEnabled = 1
args.framesCount = 3
"""


@pytest.fixture(scope="module")
def person(models_directory: Path) -> Person:
    pytest.importorskip("skimage", reason="scikit-image (extra demo) is not installed")
    config = Config.model_validate({"MODELS": {"directory": str(models_directory)}})
    return make_person(None, config)


@pytest.fixture(scope="module")
def real(models_directory: Path) -> Iterator[Service]:
    """A service with the real models and every plugin that one frame could satisfy alone."""
    settings = f'[MODELS]\ndirectory = "{models_directory}"\n{COUNTING}'
    settings += "[MIDDLEWARES.WS.FaceMatcher]\nisEnabled = 1\n"
    with running(settings, workers=1, worker_settings='backend = "onnx"') as started:
        yield started


async def answers(service: Service, frames: Iterable[bytes]) -> list[Answer]:
    """Send frames at the pace of a camera until the verdict or their end."""
    heard: list[Answer] = []
    async with Client(service.url) as client:
        for frame in frames:
            await asyncio.sleep(0.11)
            await client.send_frame(frame)
            while True:
                heard.append(answer := await client.receive())
                if answer.command is Command.RESULT:
                    return heard
                if answer.asks_for_more and REPEATED not in answer.body["errors"]:
                    break
                if answer.asks_for_more and not _is_third_copy(heard):
                    break
    return heard


def _is_third_copy(heard: list[Answer]) -> bool:
    """Whether RESULT follows."""
    last = heard[-3:]
    return len(last) == 3 and all(answer.body["errors"] == [REPEATED] for answer in last)


async def test_one_image_sent_five_times_is_not_accepted(real: Service, person: Person) -> None:
    """The very same file: it is counted once, and the session ends without success."""
    image = person.render_jpeg(Look())
    heard = await answers(real, [image] * 5)
    assert [answer.body["errors"] for answer in heard] == [[37], [72], [72], [72], [72]]
    assert heard[-1].command is Command.RESULT
    assert heard[-1].body["jwt"] is None


async def test_a_person_who_sits_still_is_accepted(real: Service, person: Person) -> None:
    """The noise of the sensor makes a new frame of each."""
    heard = await answers(real, (person.render_jpeg(Look()) for _ in range(5)))
    assert [answer.body["errors"] for answer in heard] == [[37], [37], [], []]
    assert heard[-1].body["jwt"]


async def test_the_black_pictures_of_a_starting_camera_do_no_harm() -> None:
    """A frame without a face is no copy of another one."""
    with running(COUNTING, workers=1) as service:
        black = stamped_jpeg(1, NOTHING)
        heard = await answers(service, [black] * 6 + [stamped_jpeg(1, 30) for _ in range(3)])
    assert [answer.body["errors"] for answer in heard[:6]] == [[8]] * 6
    assert heard[-1].body["jwt"]
