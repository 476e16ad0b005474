"""A refused picture cannot be varied until one variation passes by luck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from lunapass_client import Client
from shared.frame.estimation import Image
from shared.wire.protocol import Command
from tests.support.service import running

LOW_LIVENESS, TOO_MANY_REFUSALS = 32, 73
REFUSALS = 15
FRAMES = 86
SEED = 1
"""With this seed the 45th variation passes, after 29 refusals for low liveness."""


def variations(image: Image) -> Iterator[bytes]:
    """Yield the picture, slightly rotated, scaled, moved and lit at random, with noise."""
    chance = np.random.default_rng(SEED)
    height, width = image.shape[:2]
    while True:
        angle, scale = chance.uniform(-6, 6), chance.uniform(0.8, 1.25)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        turn[:, 2] += chance.uniform(-0.06, 0.06, 2) * width
        moved = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        lit = moved * chance.uniform(0.7, 1.25) + chance.uniform(-20, 20)
        noisy = lit + chance.normal(0, chance.uniform(0, 4), lit.shape)
        options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        yield bytes(cv2.imencode(".png", np.clip(noisy, 0, 255).astype(np.uint8), options)[1])


@pytest.mark.media
async def test_the_attempts_of_a_refused_picture_are_limited(
    models_directory: Path, media: Path
) -> None:
    """The fifteenth refusal for low liveness ends the session, with its own code."""
    image = cv2.imread(str(media / "stills" / "src_man1.jpg"))
    assert image is not None
    settings = f"""
[MODELS]
directory = "{models_directory}"
[LIMITS]
frameBytes = 8000000
livenessRefusals = {REFUSALS}
"""
    refusals = 0
    with running(settings, workers=1, worker_settings='backend = "onnx"') as service:
        async with Client(service.url) as client:
            for frame, _ in zip(
                variations(np.asarray(image, np.uint8)), range(FRAMES), strict=False
            ):
                await client.send_frame(frame)
                status = await client.receive()
                assert status.command is Command.STATUS
                refusals += LOW_LIVENESS in status.body["errors"]
                assert not status.body["isOk"], f"accepted after {refusals} refusals"
                if TOO_MANY_REFUSALS in status.body["errors"]:
                    break
            result = await client.receive()
    assert refusals == REFUSALS
    assert result.command is Command.RESULT
    assert result.body["jwt"] is None
    assert result.body["errors"][-1] == TOO_MANY_REFUSALS
