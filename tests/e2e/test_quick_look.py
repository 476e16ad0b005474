"""After a frame that fails an early check, the service takes quick looks until one may pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from lunapass_client import Client
from shared.codes import Code
from shared.frame.estimation import Image
from shared.wire.protocol import Command
from tests.support.service import UNPACED, Service, running
from tests.support.waiting import until

DEBUGGING = ("env", "LUNAPASS__LUNA_PASS__LOGLEVEL=2")


@pytest.fixture(scope="module")
def service(pulled_models: Path) -> Iterator[Service]:
    settings = f"""
[MODELS]
directory = "{pulled_models}"
provider = "cpu"
[LIVENESS.THRESHOLDS]
livenessScore = 1.0
{UNPACED}
reuseFrames = 0
"""
    backend = 'backend = "onnx"'
    with running(settings, workers=1, wrapper=DEBUGGING, worker_settings=backend) as started:
        yield started


def jpeg(image: Image, quality: int = 95) -> bytes:
    encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return bytes(encoded.tobytes())


def looks(service: Service, session: str) -> list[tuple[str, bool]]:
    """Return the stage of each logged frame, and whether a quick look refused it."""
    lines = (service.directory / "log").read_text().splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [
        (line["stage"], line["quick"])
        for line in records
        if line["message"] == "frame estimated" and line["session"] == session
    ]


async def test_quick_looks_refuse_until_a_frame_may_pass(service: Service, portrait: Image) -> None:
    """The first and every ninth of the blurred frames gets a full look, and a good one, too."""
    blurred = [jpeg(cv2.GaussianBlur(portrait, (0, 0), 9))] * 11
    good = [jpeg(portrait, quality) for quality in (95, 90)]
    codes = []
    async with Client(service.url) as client:
        for image in (*blurred, *good):
            await client.send_frame(image)
            answer = await client.receive()
            assert answer.command is Command.STATUS
            codes.append(answer.body["errors"])
        assert codes == [[Code.BLURRED]] * 11 + [[Code.LOW_LIVENESS]] * 2
        await until(lambda: len(looks(service, client.session_id)) == 13)
    seen = looks(service, client.session_id)
    assert [quick for _, quick in seen] == [False, *[True] * 8, False, True, False, False]
    assert [stage for stage, _ in seen] == ["quality"] * 11 + ["liveness"] * 2
