"""The seeds of the fuzzers: the corpora of bad input and one good input of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from shared.frame.estimation import Box, Capabilities, Estimate, Liveness, Profile, Stage
from shared.wire.messages import Close, Done, Judge, Judgement, Open, Ready, encode
from shared.wire.protocol import Codec, Command
from tests.support.formats import with_orientation
from tests.support.jpeg_writer import write_jpeg
from tests.support.judge import shot

ROOT = Path(__file__).parents[2]
SESSION = "0" * 32
CORPORA = {
    "protocol": "protocol/*.json",
    "image": "frames/*.bin",
    "message": "messages/*.bin",
    "configuration": "config/*.toml",
}


def sow(target: str, folder: Path) -> None:
    """Write a target's seeds into a folder."""
    bad = (path.read_bytes() for path in (ROOT / "tests" / "invalid").glob(CORPORA[target]))
    for number, seed in enumerate((*bad, *good(target))):
        (folder / f"seed-{number}").write_bytes(seed)


def good(target: str) -> Iterator[bytes]:
    """Return good input of a target's kind."""
    match target:
        case "protocol":
            headers = {"session-id": SESSION, "resume-token": SESSION, "heartbeat-interval": 5}
            yield Codec.encode(Command.CONNECT, headers | {"client": {"mirrored": True}}).encode()
            yield Codec.encode(Command.HEARTBEAT).encode()
        case "image":
            picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
            for extension in (".jpg", ".png", ".webp"):
                yield cv2.imencode(extension, picture)[1].tobytes()
            options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
            yield cv2.imencode(".jpg", picture, options)[1].tobytes()
            yield write_jpeg(picture, ((4, 2), (1, 1), (1, 1)))
            yield write_jpeg(picture, ((1, 1), (1, 1), (1, 1)), 2, b"\0\0")
            opaque = np.dstack((picture, np.full(picture.shape[:2], 255, np.uint8)))
            for extension in (".jpg", ".png", ".webp"):
                yield with_orientation(cv2.imencode(extension, picture)[1].tobytes(), 6)
            yield cv2.imencode(".png", opaque)[1].tobytes()
        case "message":
            yield encode(Done(1, 2, 3, True, b"estimate"))
            yield encode(Ready("w", 1, 2, Capabilities(True, False, "x"), "slab"))
            yield encode(Open("i", SESSION, 1.0, 2, bytes(32)))
            yield encode(Judge("i", SESSION, 1, 2.0, b"estimate", b"sent", shot(1)))
            yield encode(Close("i", SESSION, 1.0, "reason"))
            yield encode(Judgement(SESSION, 1, Profile.PASSIVE, "{}", final=True))
            face, liveness = Box(1, 2, 3, 4), Liveness(0.5, 1.0)
            yield encode(
                Estimate(64, 48, Profile.ACTIVE, Stage.EYES, (3,), face=face, liveness=liveness)
            )
        case "configuration":
            yield (ROOT / "config" / "lunapassapi.config.toml").read_bytes()[:2000]
            yield b'[LUNA_PASS]\nport = 1\n[LUNA_PASS.JWT]\nkey = "%s"\n' % (b"x" * 40)
