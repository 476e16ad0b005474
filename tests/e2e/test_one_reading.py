"""Service, ``check`` and ``evaluate`` decode an image alike, and accept or refuse it alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner
from PIL import Image as PillowImage

from lunapass.commands import check, evaluate
from lunapass_client import Client
from shared.frame import jpeg
from shared.frame.estimation import Image
from shared.wire.protocol import Command
from tests.support.formats import with_orientation
from tests.support.jpeg_writer import Sampling, write_jpeg
from tests.support.service import Service, running

Reading = tuple[list[int], str]
"""Codes, and the reason for a refused image; empty if it is judged."""
SAME: Sampling = ((1, 1), (1, 1), (1, 1))
SCAN = b"\xff\xda"
MAX_PIXELS = 800_000


@pytest.fixture(scope="module")
def service(models_directory: Path) -> Iterator[Service]:
    settings = f"""
[MODELS]
directory = "{models_directory}"
provider = "cpu"
[LIMITS]
framePixels = {MAX_PIXELS}
reuseFrames = 0  # the sessions show one image
"""
    with running(settings, workers=1, worker_settings='backend = "onnx"') as started:
        yield started


async def by_service(service: Service, data: bytes) -> Reading:
    """Show an image in its own session; the reason comes from the log."""
    async with Client(service.url) as client:
        await client.send_frame(data)
        answer = await client.receive()
    assert answer.command is Command.STATUS
    return answer.body["errors"], "".join(refusals(service, client.session_id))


def refusals(service: Service, session: str) -> list[str]:
    """Return the logged reasons for the refused frames of a session, at most one per frame."""
    lines = (service.directory / "log").read_text().splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    reasons = [
        line["message"].removeprefix("frame refused: ")
        for line in records
        if line.get("session") == session and line["message"].startswith("frame refused: ")
    ]
    assert len(reasons) <= 1
    return reasons


def by_check(service: Service, file: Path) -> Reading:
    words = ["--config", str(service.directory / "config.toml"), "--json", str(file)]
    record = json.loads(CliRunner().invoke(check.command, words, catch_exceptions=False).stdout)
    return [error["code"] for error in record["errors"]], record["refused"] or ""


def by_evaluate(service: Service, file: Path) -> Reading:
    table, report = file.with_suffix(".csv"), file.with_suffix(".json")
    table.write_text(f"path,label\n{file.name},live\n")
    words = ["--config", str(service.directory / "config.toml"), "--no-cache"]
    words += ["--json", str(report), str(table)]
    assert CliRunner().invoke(evaluate.command, words, catch_exceptions=False).exit_code == 0
    (one,) = json.loads(report.read_text())["presentations"]
    return one["codes"], one["refused"] or ""


def readings(service: Service, file: Path) -> list[Reading]:
    """Return the results of service, ``check`` and ``evaluate``."""
    served = asyncio.run(by_service(service, file.read_bytes()))
    return [served, by_check(service, file), by_evaluate(service, file)]


def encoded(image: Image, extension: str, *flags: int) -> bytes:
    return cv2.imencode(extension, image, list(flags))[1].tobytes()


def by_pillow(image: Image, kind: str) -> bytes:
    file = BytesIO()
    PillowImage.fromarray(image[..., ::-1]).save(file, kind)
    return file.getvalue()


def turned(image: Image, extension: str, orientation: int) -> bytes:
    """Return an image that its EXIF orientation rotates upright."""
    undone = {6: cv2.ROTATE_90_COUNTERCLOCKWISE, 3: cv2.ROTATE_180, 8: cv2.ROTATE_90_CLOCKWISE}
    return with_orientation(encoded(cv2.rotate(image, undone[orientation]), extension), orientation)


def clear(image: Image) -> bytes:
    """Return an image with one pixel that is not opaque."""
    whole = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    whole[0, 0, 3] = 254
    return encoded(whole, ".png")


def padded(image: Image) -> bytes:
    """Insert two bytes before each restart marker, as webcams of Logitech do."""
    data = encoded(image, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 40)
    ((start, end),) = jpeg.scans(data, data.index(SCAN))
    for at in reversed(jpeg.restarts(data, start, end)):
        data = data[:at] + b"\0\0" + data[at:]
    return data


def commented(image: Image) -> bytes:
    data, comment = encoded(image, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), SCAN * 100
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


JUDGED: dict[str, Callable[[Image], bytes]] = {
    "padding before restart markers": padded,
    "4:1:0": lambda image: write_jpeg(image, ((4, 2), (1, 1), (1, 1))),
    "3x1": lambda image: write_jpeg(image, ((3, 1), (1, 1), (1, 1))),
    "scans in a comment": commented,
    "motion photo": lambda image: (
        encoded(image, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1) + b"\0\0\0\x18ftypmp42" + SCAN * 100
    ),
    "PNG turned by eXIf": lambda image: turned(image, ".png", 6),
    "WebP turned by EXIF": lambda image: turned(image, ".webp", 8),
    "JPEG turned by EXIF": lambda image: turned(image, ".jpg", 3),
    "opaque RGBA": lambda image: encoded(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), ".png"),
}
REFUSED: dict[str, Callable[[Image], bytes]] = {
    "AVIF": lambda image: by_pillow(image, "AVIF"),
    "BMP": lambda image: encoded(image, ".bmp"),
    "missing end": lambda image: encoded(image, ".jpg")[:-2],
    "missing end behind padding": lambda image: padded(image)[:-2],
    "truncated 4:1:0": lambda image: (
        write_jpeg(image, ((4, 2), (1, 1), (1, 1)))[:-900] + b"\xff\xd9"
    ),
    "over framePixels": lambda image: encoded(cv2.resize(image, (1200, 900)), ".jpg"),
    "not opaque": clear,
    "empty": lambda image: b"",
}


@pytest.mark.parametrize("name", JUDGED)
def test_equivalent_encodings_are_judged_alike(
    service: Service, tmp_path: Path, portrait: Image, name: str
) -> None:
    """A live face passes in all three, however its image is encoded."""
    file = tmp_path / "picture"
    file.write_bytes(JUDGED[name](portrait))
    assert readings(service, file) == [([], "")] * 3


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_images_are_refused_alike(
    service: Service, tmp_path: Path, portrait: Image, name: str
) -> None:
    """They get code 1 and the same reason."""
    file = tmp_path / "picture"
    file.write_bytes(REFUSED[name](portrait))
    first, *others = readings(service, file)
    codes, reason = first
    assert codes == [1]
    assert reason
    assert others == [first, first]


def test_images_from_the_field_are_read_alike(
    service: Service, cases: Path, tmp_path: Path
) -> None:
    """All three agree on every image of the reference folder, and none is refused."""
    found = {}
    for case in sorted(cases.glob("*.[jpw]*")):
        file = tmp_path / case.name
        file.write_bytes(case.read_bytes())
        found[case.name] = readings(service, file)
        print(f"{case.name:36}", *found[case.name], sep=" | ")
    assert all(columns == columns[:1] * 3 for columns in found.values())
    assert not any(reason for columns in found.values() for _, reason in columns)
