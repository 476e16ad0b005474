"""Frames through real processes: none is mixed up or lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import jwt
import pytest

from lunapass_client import Answer, Client
from shared.wire.protocol import CloseCode, Command
from tests.support.service import KEY, Service, running
from tests.support.stamp import DIE, OFFSET, stamped_jpeg
from tests.support.waiting import until


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as started:
        yield started


async def play(service: Service, person: int, *, pause: float = 0.0) -> list[Answer]:
    """Send stamped frames, one at a time, until the verdict; return every answer."""
    answers: list[Answer] = []
    async with Client(service.url) as client:
        for number in range(400):
            await client.send_frame(stamped_jpeg(person, min(number, 200)))
            answer = await client.receive()
            answers.append(answer)
            if answer.command is Command.STATUS and answer.body["isOk"]:
                break
            await asyncio.sleep(pause)
        answers.extend([answer async for answer in client.answers()])
        assert client.close_code == CloseCode.VERDICT
    return answers


async def test_ten_sessions_are_never_mixed_up(service: Service) -> None:
    """Ten people at 5 frames a second: each answer belongs to its own session and frame."""
    people = range(10)
    histories = await asyncio.gather(*(play(service, p, pause=0.2) for p in people))
    for person, answers in zip(people, histories, strict=True):
        *statuses, result = answers
        assert result.command is Command.RESULT
        assert result.body["isOk"]
        for number, status in enumerate(statuses):
            rect = status.body["details"]["faceFramePosition"]["faceRect"]
            assert (rect["x"], rect["y"]) == (person + OFFSET, number + OFFSET)
            assert status.seq == number + 1
        claims = jwt.decode(result.body["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
        assert claims["isOk"]
        assert claims["sid"] == result.headers["session-id"]
        assert claims["details"]["faceFramePosition"]["faceRect"]["x"] == person + OFFSET


async def test_each_frame_has_one_answer_when_sent_in_a_burst(service: Service) -> None:
    """Frames that come too fast are reported as dropped, and every frame gets an answer."""
    async with Client(service.url) as client:
        for number in range(8):
            await client.send_frame(stamped_jpeg(3, number))
        seen: list[int | None] = []
        while len(seen) < 8:
            answer = await client.receive()
            assert answer.command in (Command.STATUS, Command.DROPPED)
            seen.append(answer.seq)
    assert sorted(seen) == list(range(1, 9))  # type: ignore[type-var]


async def test_a_killed_aggregator_gets_the_log_again(service: Service) -> None:
    """It dies in the middle of the session; the log is replayed and the session succeeds."""
    async with Client(service.url) as client:
        for number in range(10):
            await client.send_frame(stamped_jpeg(5, number))
            assert (await client.receive()).command is Command.STATUS
        os.kill(service.pids("aggregator")[0], signal.SIGKILL)
        await client.send_frame(stamped_jpeg(5, 50))
        status = await client.receive()
        assert status.seq == 11
        assert status.body["isOk"]
        assert (await client.receive()).body["isOk"]


async def test_a_frame_that_kills_workers_is_answered(service: Service) -> None:
    """Two workers die of one frame: it gets code 2 and is stored; the next frame works."""
    async with Client(service.url) as client:
        deadly = stamped_jpeg(DIE, 1)
        await client.send_frame(deadly)
        poisoned = await client.receive()
        assert poisoned.body["errors"] == [2]
        await asyncio.to_thread(service.wait_ready)
        # A thread writes it, perhaps after the answer, but before both workers are back.
        kept = service.directory / "run" / "quarantine" / f"{client.session_id}-1"
        assert kept.read_bytes() == deadly
        await client.send_frame(stamped_jpeg(7, 30))
        following = await client.receive()
        assert following.body["isOk"]


async def test_a_session_resumes_after_its_gateway_was_killed(service: Service) -> None:
    """Id and resume token restore the session with its log."""
    async with Client(service.url) as client:
        for number in range(5):
            await client.send_frame(stamped_jpeg(8, number))
            await client.receive()
        session, token = client.session_id, client.resume_token
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url, session_id=session, resume_token=token) as again:
        assert again.connected is not None
        assert again.connected.headers["seq"] == 5
        await again.send_frame(stamped_jpeg(8, 50))
        assert (await again.receive()).seq == 6
        result = await again.receive()
    assert result.command is Command.RESULT
    assert result.body["isOk"]


async def test_a_stolen_session_id_is_refused(service: Service) -> None:
    """A session id is worthless without the resume token."""
    async with (
        Client(service.url) as client,
        Client(service.url, session_id=client.session_id, resume_token="0" * 32) as thief,
    ):
        assert thief.connected is not None
        assert thief.connected.body["code"] == "session.unknown"


async def test_all_slots_are_free_afterwards(service: Service) -> None:
    """The service is ready again after all the tests above."""
    await asyncio.to_thread(service.wait_ready)
    await until(lambda: service.metric("lunapass_slots_free") == 2 * 2 + 2)
