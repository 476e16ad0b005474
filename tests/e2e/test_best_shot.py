"""The image in the token is the judged one, whatever the client sent and whichever role dies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import jwt
import numpy as np
import pytest
from PIL import Image as PillowImage

from lunapass_client import Answer, Client
from shared.frame import intake
from shared.frame.estimation import Image
from shared.session_log import folders, read_session
from shared.wire.protocol import Command
from tests.support import encoded_pictures
from tests.support.encoded_pictures import another_shot
from tests.support.redis_server import running_redis
from tests.support.service import KEY, Service, running
from tests.support.stamp import OFFSET, shown_jpeg, stamped_jpeg

NEEDED = 3
"""Frames that pass before a session succeeds, so that a role may die between them."""
SETTINGS = f"""
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.AggregateLiveness]
isEnabled = 1
args.framesCount = {NEEDED}
args.minIntervalMs = 0
[MIDDLEWARES.WS.FileLogger]
isEnabled = 1
args.path = "DIRECTORY/logs"
"""
LIVE = 50


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SETTINGS, workers=1) as started:
        yield started


def stamped(person: int, number: int = LIVE) -> Image:
    data = np.frombuffer(stamped_jpeg(person, number), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def encoded(image: Image, kind: str, *settings: int) -> bytes:
    return bytes(cv2.imencode(f".{kind}", image, settings)[1])


async def session(
    service: Service, encode: Callable[[Image], bytes], image: Image
) -> tuple[str, bytes, Answer | None]:
    """Send as many shots of an image as a session needs.

    Returns:
        The session's id; the first frame, which is the best shot; RESULT if the last frame passed.
    """
    frames = [encode(another_shot(image)) for _ in range(NEEDED)]
    async with Client(service.url) as client:
        for frame in frames:
            await client.send_frame(frame)
            status = await client.receive()
        result = await client.receive() if status.body["isOk"] else None
        return client.session_id, frames[0], result


def claims_of(result: Answer | None) -> dict[str, Any]:
    assert result is not None
    assert result.command is Command.RESULT
    assert result.body["isOk"]
    claims: dict[str, Any] = jwt.decode(result.body["jwt"], KEY, algorithms=["HS256"])
    return claims


def as_browsers_show(data: bytes) -> Image:
    """Return the pixels over a white page, with alpha applied."""
    shown = PillowImage.open(io.BytesIO(data)).convert("RGBA")
    page = PillowImage.new("RGBA", shown.size, "white")
    page.alpha_composite(shown)
    return np.ascontiguousarray(np.asarray(page.convert("RGB"))[..., ::-1])


def difference(one: Image, other: Image) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


PERSON = 5
JUDGED = stamped(PERSON)
FORMATS: dict[str, tuple[int, ...]] = {
    "jpeg": (),
    "png": (),
    "webp": (cv2.IMWRITE_WEBP_QUALITY, 101),
}


@pytest.mark.parametrize("kind", FORMATS)
async def test_the_token_shows_the_judged_image_and_describes_the_source(
    service: Service, kind: str
) -> None:
    """The token has a JPEG of any input; FileLogger stores the input, with the same digest."""
    identity, sent, result = await session(
        service, lambda image: encoded(image, kind, *FORMATS[kind]), JUDGED
    )
    claims = claims_of(result)
    token = base64.b64decode(claims["bestshot"])
    assert intake.read(token) == intake.Header("jpeg", 640, 480)
    assert difference(as_browsers_show(token), JUDGED) < 3
    digest = hashlib.sha256(sent).hexdigest()
    assert claims["bestshotSource"] == {"sha256": digest, "bytes": len(sent), "format": kind}
    log = await asyncio.to_thread(ended_log, service, identity)
    assert log.verdict is not None
    assert log.verdict.bestshot_source == claims["bestshotSource"]
    (evidence,) = [frame for frame in log.frames if frame.seq == log.verdict.best_seq]
    assert evidence.sha256 == digest
    assert (log.folder / (evidence.file or "")).read_bytes() == sent
    assert (log.folder / "bestshot.jpg").read_bytes() == token


def ended_log(service: Service, identity: str) -> Any:
    """Wait for the finished folder of a session; it is written after the answer."""
    deadline = time.monotonic() + 60
    while True:
        for folder in folders(Path(service.directory / "logs")):
            if folder.name == identity and (log := read_session(folder)).verdict is not None:
                return log
        assert time.monotonic() < deadline
        time.sleep(0.05)


PAINTED = stamped(PERSON + 300, LIVE + 77)
"""Another person."""


@pytest.mark.parametrize("kind", ["png", "webp"])
async def test_alpha_cannot_put_another_person_into_the_token(service: Service, kind: str) -> None:
    """Colours show one person, colours and alpha together another one.

    Such a file is refused, because what it shows depends on the viewer.
    """
    colours, alpha = encoded_pictures.with_alpha(JUDGED, PAINTED)

    def transparent(shot: Image) -> bytes:
        return encoded(np.dstack([shot, alpha]), kind, *FORMATS[kind])

    sent = transparent(colours)
    painted = encoded_pictures.over_white(colours, alpha)
    assert difference(as_browsers_show(sent), painted) < 1
    assert difference(painted, colours) > 20
    _, _, result = await session(service, transparent, colours)
    assert result is None


@pytest.mark.parametrize("orientation", range(2, 9))
async def test_a_rotated_image_is_upright_in_the_token(service: Service, orientation: int) -> None:
    """It is stored as judged, without EXIF that a decoder could follow or ignore."""
    _, _, result = await session(
        service, lambda shot: encoded_pictures.jpeg(shot, orientation), JUDGED
    )
    claims = claims_of(result)
    token = base64.b64decode(claims["bestshot"])
    assert b"Exif" not in token
    assert difference(as_browsers_show(token), JUDGED) < 3
    assert claims["details"]["faceFramePosition"]["faceRect"]["x"] == PERSON + OFFSET


NUMBERS = [LIVE + number for number in range(NEEDED)]


@pytest.mark.parametrize("role", ["aggregator", "gateway"])
async def test_a_death_changes_no_byte_of_the_best_shot(service: Service, role: str) -> None:
    """It is encoded once and carried along, so the death of any role leaves the same JPEG."""
    first = stamped_jpeg(PERSON, NUMBERS[0])
    async with Client(service.url) as client:
        for frame in [first, *(stamped_jpeg(PERSON, number) for number in NUMBERS[1:-1])]:
            await client.send_frame(frame)
            assert (await client.receive()).body["errors"] == [37]
        session_id, token = client.session_id, client.resume_token
        os.kill(service.pids(role)[0], signal.SIGKILL)
        if role == "aggregator":
            await client.send_frame(stamped_jpeg(PERSON, NUMBERS[-1]))
            assert (await client.receive()).body["isOk"]
            result = await client.receive()
    if role == "gateway":
        await asyncio.to_thread(service.wait_ready)
        async with Client(service.url, session_id=session_id, resume_token=token) as again:
            await again.send_frame(stamped_jpeg(PERSON, NUMBERS[-1]))
            assert (await again.receive()).body["isOk"]
            result = await again.receive()
    check_best_shot(result, first)


async def test_another_machine_gives_the_same_best_shot() -> None:
    """A session that moves there through the session store has the JPEG of the first machine."""
    with running_redis() as redis:
        settings = SETTINGS + f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        with running(settings, workers=1) as first, running(settings, workers=1) as second:
            sent = [stamped_jpeg(PERSON, number) for number in NUMBERS[:-1]]
            async with Client(first.url) as client:
                for frame in sent:
                    await client.send_frame(frame)
                    assert (await client.receive()).body["errors"] == [37]
                session_id, token = client.session_id, client.resume_token
            async with Client(second.url, session_id=session_id, resume_token=token) as again:
                await again.send_frame(stamped_jpeg(PERSON, NUMBERS[-1]))
                assert (await again.receive()).body["isOk"]
                check_best_shot(await again.receive(), sent[0])


def check_best_shot(result: Answer, sent: bytes) -> None:
    """Check that it is the first frame's, byte for byte as in a session without faults."""
    claims = claims_of(result)
    assert base64.b64decode(claims["bestshot"]) == shown_jpeg(sent)
    assert claims["bestshotSource"]["sha256"] == hashlib.sha256(sent).hexdigest()
