"""A camera mounted upside down, or a picture held upside down, is never accepted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from lunapass_client import Client
from shared.codes import Code
from shared.frame.estimation import Image
from shared.wire.protocol import Command
from tests.support.service import Service, running

FRAMES = 4
SETTINGS = """
[MODELS]
directory = "{models}"
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
"""


@pytest.fixture(scope="module")
def service(models_directory: Path) -> Iterator[Service]:
    settings = SETTINGS.format(models=models_directory)
    with running(settings, workers=1, worker_settings='backend = "onnx"') as started:
        yield started


def filmed(image: Image, number: int) -> bytes:
    """Return a camera frame of a picture; noise makes each one different."""
    noise = np.random.default_rng(number).normal(0, 2, image.shape)
    frame = np.clip(image + noise, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].data)


async def test_upside_down_frames_get_no_token(service: Service, portrait: Image) -> None:
    """Mirrored or rotated, each frame is refused for its tilt; upright, the person is accepted."""
    async with Client(service.url) as client:
        for number in range(FRAMES):
            upset = portrait[::-1] if number % 2 else portrait[::-1, ::-1]
            await client.send_frame(filmed(upset, number))
            status = await client.receive()
            assert status.command is Command.STATUS
            assert not status.body["isOk"]
            assert set(status.body["errors"]) & {Code.TILTED_LEFT, Code.TILTED_RIGHT}
        await client.send_frame(filmed(portrait, FRAMES))
        assert (await client.receive()).body["isOk"]
        result = await client.receive()
    assert result.command is Command.RESULT
    assert result.body["isOk"]
