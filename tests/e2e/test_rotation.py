"""Images of a camera that is mounted rotated are turned upright before judging and in videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from lunapass_client import Client
from shared.config.service import LimitsSection
from shared.frame.decoding import decode
from shared.session_log import read_session
from tests.support.service import UNPACED, Service, running
from tests.support.stamp import OFFSET, SIZE, read_stamp, stamped_jpeg

PERSON, NOT_LIVE = 7, 5
SETTINGS = """
[MIDDLEWARES.WS.FileLogger]
isEnabled = 1
args.path = "DIRECTORY/logs"
[CHECKS]
frameWidth = 640
frameHeight = 480
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with running(UNPACED + SETTINGS, workers=1) as started:
        yield started


def as_mounted(number: int, rotation: int) -> bytes:
    """Return an image that has to be rotated clockwise by these degrees."""
    upright = decode(stamped_jpeg(PERSON, number, shot=rotation), LimitsSection())
    stored = np.ascontiguousarray(np.rot90(upright, rotation // 90))
    data: bytes = simplejpeg.encode_jpeg(stored, quality=95, colorspace="BGR")
    return data


async def box(client: Client, rotation: int) -> list[int]:
    """Show a frame; the face box shows whose stamp was read, which needs an upright image."""
    await client.send_frame(as_mounted(NOT_LIVE, rotation))
    rect = (await client.receive()).body["details"]["faceFramePosition"]["faceRect"]
    return [rect["x"], rect["y"], rect["width"], rect["height"]]


async def test_rotated_images_are_judged_and_recorded(service: Service) -> None:
    """A reload sets the rotation; the stored bytes are the received ones."""
    upright = [PERSON + OFFSET, NOT_LIVE + OFFSET, SIZE, SIZE]
    turns = (0, 90, 180, 270)
    async with Client(service.url) as client:
        for before, rotation in zip((0, *turns), turns, strict=False):
            if rotation:
                config = service.directory / "config.toml"
                text = config.read_text().replace(f"\nrotate = {before}", "")
                config.write_text(text.replace("[CHECKS]", f"[CHECKS]\nrotate = {rotation}"))
                await service.reload("")
            assert await box(client, rotation) == upright
        session = client.session_id
    service.end()
    folder = Path(service.directory, "logs", session)
    frames = read_session(folder).frames
    assert [frame.estimate.rotation for frame in frames] == list(turns)
    for frame, rotation in zip(frames, turns, strict=True):
        assert frame.file is not None
        data = (folder / frame.file).read_bytes()
        assert data == as_mounted(NOT_LIVE, rotation)
        assert read_stamp(decode(data, LimitsSection(), rotation)) == (PERSON, NOT_LIVE)
