"""An image sent several times is one frame of one session, whatever plugins count frames."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from lunapass.demo import make_person
from lunapass_client import Answer, Client
from shared.config.service import Config
from shared.wire.protocol import Command
from tests.support.redis_server import running_redis
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until

REPEATED, INJECTED = 72, 70
NOTHING = 0xFFFF
"""An image without a face, for the stamp backend."""
ENCODED = 'lunapass_step_seconds_count{role="gateway",step="encode"}'
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
    """A service with the real models and every plugin that a single frame might satisfy."""
    settings = f'[MODELS]\ndirectory = "{models_directory}"\n{COUNTING}'
    settings += "[MIDDLEWARES.WS.FaceMatcher]\nisEnabled = 1\n"
    with running(settings, workers=1, worker_settings='backend = "onnx"') as started:
        yield started


async def answers(service: Service, frames: Iterable[bytes]) -> list[Answer]:
    """Send frames at a camera's rate until the verdict or the last one."""
    heard: list[Answer] = []
    async with Client(service.url) as client:
        for frame in frames:
            await asyncio.sleep(0.11)
            await client.send_frame(frame)
            while True:
                heard.append(answer := await client.receive())
                if answer.command is Command.RESULT:
                    return heard
                if answer.asks_for_more and not _is_last(heard):
                    break
    return heard


def _is_last(heard: list[Answer]) -> bool:
    """Whether RESULT follows: after three copies in a row, or a reused best shot."""
    codes = [answer.body["errors"] for answer in heard]
    return codes[-1] == [INJECTED] or codes[-3:] == [[REPEATED]] * 3


async def test_one_image_sent_five_times_is_not_accepted(real: Service, person: Person) -> None:
    """Identical files count once, and the session fails."""
    image = person.render_jpeg(Look())
    heard = await answers(real, [image] * 5)
    assert [answer.body["errors"] for answer in heard] == [[37], [72], [72], [72], [72]]
    assert heard[-1].command is Command.RESULT
    assert heard[-1].body["jwt"] is None


async def test_a_person_who_sits_still_is_accepted(real: Service, person: Person) -> None:
    """Sensor noise makes each frame different."""
    heard = await answers(real, (person.render_jpeg(Look()) for _ in range(5)))
    assert [answer.body["errors"] for answer in heard] == [[37], [37], [], []]
    assert heard[-1].body["jwt"]


async def test_black_frames_of_a_starting_camera_are_not_copies() -> None:
    """A frame without a face is no copy of another one.

    Of the frames that pass, all equally live, only the first is encoded for the token.
    """
    with running(COUNTING, workers=1) as service:
        black = stamped_jpeg(1, NOTHING)
        heard = await answers(service, [black] * 6 + [stamped_jpeg(1, 30) for _ in range(3)])
        assert service.metric(ENCODED) == 1
    assert [answer.body["errors"] for answer in heard[:6]] == [[8]] * 6
    assert heard[-1].body["jwt"]


@pytest.fixture(scope="module")
def plain() -> Iterator[Service]:
    """A service that accepts the first frame that passes and soon forgets a session."""
    with running("[LIMITS]\nresumeSeconds = 0.5\n", workers=1) as started:
        yield started


async def first_answer(service: Service, frame: bytes) -> list[int]:
    """Return the codes for the first frame of a new session."""
    async with Client(service.url) as client:
        await client.send_frame(frame)
        codes: list[int] = (await client.receive()).body["errors"]
        return codes


async def test_an_accepted_image_is_refused_in_the_next_session(plain: Service) -> None:
    """The session fails with code 70."""
    image = stamped_jpeg(1, 30)
    accepted, refused = await answers(plain, [image]), await answers(plain, [image])
    assert accepted[-1].body["jwt"]
    assert refused[-1].command is Command.RESULT
    assert refused[-1].body == {"isOk": False, "jwt": None, "errors": [INJECTED]}
    assert await first_answer(plain, stamped_jpeg(1, 30)) == []


async def test_one_of_two_simultaneous_sessions_gets_the_frame(plain: Service) -> None:
    """It does not matter how close together they send it."""
    for _ in range(5):
        image = stamped_jpeg(2, 1)  # not live: the claim decides, not an acceptance
        codes = await asyncio.gather(*(first_answer(plain, image) for _ in range(6)))
        assert sorted(codes) == [[32]] + [[REPEATED]] * 5


async def test_a_killed_aggregator_forgets_no_frame(plain: Service) -> None:
    """The gateway tells its successor what was recently claimed and accepted."""
    image, other = stamped_jpeg(3, 30), stamped_jpeg(3, 1)
    assert await first_answer(plain, image) == []
    async with Client(plain.url) as client:
        await client.send_frame(other)
        assert (await client.receive()).body["errors"] == [32]
        os.kill(plain.pids("aggregator")[0], signal.SIGKILL)
        await client.send_frame(stamped_jpeg(3, 1))
        assert (await client.receive()).body["errors"] == [32]
        assert await first_answer(plain, image) == [INJECTED]
        assert await first_answer(plain, other) == [REPEATED]


async def test_the_other_cell_knows_the_frame() -> None:
    """Six more sessions reach both cells with a probability of 63/64."""
    with running("cells = 2\n", workers=2) as service:
        image = stamped_jpeg(4, 30)
        assert await first_answer(service, image) == []
        assert [await first_answer(service, image) for _ in range(6)] == [[INJECTED]] * 6


async def test_a_new_aggregator_knows_frames_of_finished_sessions(plain: Service) -> None:
    """Neither the gateway nor a client has them any longer."""
    image = stamped_jpeg(5, 30)
    assert await first_answer(plain, image) == []
    await until(lambda: not plain.get("/statistics").json()["sessions"]["open"])
    os.kill(plain.pids("aggregator")[0], signal.SIGKILL)
    assert await first_answer(plain, image) == [INJECTED]


async def test_another_machine_knows_the_frame() -> None:
    """Both machines share a session store."""
    with running_redis() as redis:
        settings = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        with running(settings, workers=1) as here, running(settings, workers=1) as there:
            image, other = stamped_jpeg(4, 30), stamped_jpeg(4, 1)
            assert await first_answer(here, image) == []
            assert await first_answer(here, other) == [32]
            assert await first_answer(there, other) == [REPEATED]
            # The code depends on whether the acceptance has arrived there.
            assert await first_answer(there, image) in ([REPEATED], [INJECTED])
            redis.kill()
            assert await first_answer(there, stamped_jpeg(4, 30)) == []
