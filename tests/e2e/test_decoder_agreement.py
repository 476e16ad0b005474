"""Every decoder reads the judged image from the token, whatever the client sent.

Sixty images of all formats pass through the stages of an accepted frame: header, slot, best shot,
token.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import jwt
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps

from aggregator.session import JudgedSession, Outcome
from aggregator.verdict import VerdictWriter
from gateway.limits.buckets import TokenBucket
from gateway.pool.best_shot import encode_best_shot
from gateway.pool.decoding import decode_into
from gateway.pool.workers import Lease
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session as GatewaySession
from shared.config.service import Config
from shared.frame import intake
from shared.frame.estimation import Image, Profile
from shared.frame.slab import Slab
from shared.signing import Signer
from shared.wire.messages import Open
from tests.support import encoded_pictures
from tests.support.browser import browsing
from tests.support.judge import SESSION, live, plugin_config

MOST = 3.0
"""Greatest mean difference of an image's bytes."""
CONFIG = plugin_config({})
ORIENTATIONS = range(1, 9)
GREY = cv2.COLOR_BGR2GRAY


def scene() -> Image:
    """Return an image in which every rotation and colour change is visible."""
    across, down = np.meshgrid(np.linspace(0, 1, 160), np.linspace(0, 1, 120))
    image = np.stack([255 * across, 255 * down, 200 * (1 - across)], axis=-1)
    image[10:40, 10:60] = (20, 20, 220)
    cv2.circle(image, (110, 80), 25, (60, 190, 240), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8)


def rgb(image: Image) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def other_colours() -> bytes:
    """Return an sRGB profile with red and blue swapped."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def jpegs(shown: Image) -> Iterator[bytes]:
    """All orientations with full and halved chroma; other samplings, progressive, grey, profile."""
    full, halved = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    for orientation, factor in itertools.product(ORIENTATIONS, (full, halved)):
        yield encoded_pictures.jpeg(shown, orientation, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor)
    for factor in (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    ):
        yield encoded_pictures.jpeg(shown, 1, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor)
    for orientation in (1, 6):
        yield encoded_pictures.jpeg(shown, orientation, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
        yield encoded_pictures.jpeg(shown, orientation, cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
    yield encoded_pictures.jpeg(np.asarray(cv2.cvtColor(shown, GREY), np.uint8)[..., None], 3)
    yield saved(shown, "JPEG", quality=92, icc_profile=other_colours())


def pngs(shown: Image) -> Iterator[bytes]:
    """Every colour type and depth, opaque; gamma, colour space, profile; all orientations."""
    colours = rgb(shown)
    grey = np.asarray(cv2.cvtColor(shown, GREY), np.uint8)[..., None]
    opaque = np.full_like(grey, 255)
    for samples, colour in (
        (grey, 0),
        (colours, 2),
        (np.dstack([grey, opaque]), 4),
        (np.dstack([colours, opaque]), 6),
    ):
        yield encoded_pictures.png(samples, colour)
        yield encoded_pictures.png(samples.astype(np.uint16) * 257, colour)
    palette = bytes(np.repeat(np.arange(256, dtype=np.uint8), 3))
    yield encoded_pictures.png(grey, 3, [(b"PLTE", palette)])
    yield encoded_pictures.png(grey, 3, [(b"PLTE", palette), (b"tRNS", b"\xff" * 256)])
    profile = b"other\0\0" + zlib.compress(other_colours())
    for extra in (
        (b"gAMA", (100_000).to_bytes(4, "big")),
        (b"gAMA", (22_000).to_bytes(4, "big")),
        (b"sRGB", b"\0"),
        (b"iCCP", profile),
        (b"tEXt", b"Comment\0none"),
    ):
        yield encoded_pictures.png(colours, 2, [extra])
    for orientation in ORIENTATIONS:
        yield encoded_pictures.png(
            rgb(encoded_pictures.stored(shown, orientation)),
            2,
            [(b"eXIf", encoded_pictures.exif(orientation))],
        )


def webps(shown: Image) -> Iterator[bytes]:
    """Lossy and lossless, opaque alpha, a profile; all orientations."""
    yield saved(shown, "WEBP", quality=90)
    yield saved(shown, "WEBP", lossless=True)
    yield saved(np.dstack([shown, np.full(shown.shape[:2], 255, np.uint8)]), "WEBP", lossless=True)
    yield saved(shown, "WEBP", quality=90, icc_profile=other_colours())
    for orientation in ORIENTATIONS:
        turned = encoded_pictures.stored(shown, orientation)
        yield saved(
            turned, "WEBP", quality=90, exif=b"Exif\0\0" + encoded_pictures.exif(orientation)
        )


def saved(image: Image, kind: str, **settings: Any) -> bytes:
    """Encode with Pillow."""
    file = io.BytesIO()
    order = [2, 1, 0, *range(3, image.shape[2])]
    PillowImage.fromarray(np.ascontiguousarray(image[..., order])).save(file, kind, **settings)
    return file.getvalue()


def judge(slab: Slab, data: bytes) -> tuple[Image, bytes]:
    """Process a frame from its header to the token.

    Return the judged pixels and the token's image.
    """
    header = intake.judge(data, Config().LIMITS)
    decode_into(slab, 0, 1, 1, data, header)
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    owner = GatewaySession(SESSION, opened, "", TokenBucket(1, 1), 0.0)
    frame = PendingFrame(1, data, header, 0.0, 60.0)
    encode_best_shot(
        slab, Lease(1, 0, 1, owner, frame, Profile.PASSIVE), CONFIG.LIMITS.bestshotBytes
    )
    session = JudgedSession(opened, [], CONFIG.LIVENESS)
    outcome = session.fold(1, 1001.0, live(), data, replay=False, shot=frame.shot)
    assert isinstance(outcome, Outcome)
    result = VerdictWriter(CONFIG, Signer(CONFIG.LUNA_PASS.JWT)).result(session, outcome)
    claims = jwt.decode(json.loads(result)["body"]["jwt"], options={"verify_signature": False})
    return slab.frame(0, 1, 1).copy(), base64.b64decode(claims["bestshot"])


Judged = list[tuple[bytes, Image, bytes]]
"""The source, the judged pixels, and the image in the token."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    shown = scene()
    slab = Slab.create(slots=1, pixels=shown.shape[0] * shown.shape[1])
    sent = [*jpegs(shown), *pngs(shown), *webps(shown)]
    found = [(data, *judge(slab, data)) for data in sent]
    slab.close()
    return found


def by_opencv(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def by_pillow(data: bytes) -> Image:
    upright = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(data)))
    return rgb(np.asarray(upright.convert("RGB")))


DRAW = """async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/png");
}"""


@pytest.fixture(scope="module")
def by_chromium() -> Iterator[Callable[[bytes], Image]]:
    with browsing(None) as browser:
        page = browser.new_page()

        def decode(data: bytes) -> Image:
            source = "data:image/*;base64," + base64.b64encode(data).decode()
            return by_opencv(base64.b64decode(page.evaluate(DRAW, source).partition(",")[2]))

        yield decode


def difference(one: Image, other: Image) -> float:
    """Return the mean absolute difference of the bytes; infinite if the sizes differ."""
    if one.shape != other.shape:
        return np.inf
    return float(np.abs(one.astype(np.int16) - other).mean())


def test_sixty_images_of_all_formats_are_accepted(judged: Judged) -> None:
    """Each token's image is upright and has no metadata."""
    formats = [intake.read(sent).format for sent, _, _ in judged]
    counts = {kind: formats.count(kind) for kind in set(formats)}
    assert counts == {"jpeg": 25, "png": 23, "webp": 12}
    for _, _, token in judged:
        assert intake.read(token) == intake.Header("jpeg", *intake.read(token).upright_size)
        assert b"Exif" not in token
        assert b"ICC_PROFILE" not in token


@pytest.mark.parametrize("decode", [by_opencv, by_pillow], ids=["OpenCV", "Pillow"])
def test_decoders_read_the_judged_image_from_the_token(
    judged: Judged, decode: Callable[[bytes], Image]
) -> None:
    """It is equal within the error of JPEG."""
    assert max(difference(decode(token), pixels) for _, pixels, token in judged) < MOST


def test_a_browser_shows_the_judged_image(
    judged: Judged, by_chromium: Callable[[bytes], Image]
) -> None:
    """It is equal within the error of JPEG; the browser shows many of the sources differently."""
    assert max(difference(by_chromium(token), pixels) for _, pixels, token in judged) < MOST
    otherwise = [difference(by_chromium(sent), pixels) > 10 for sent, pixels, _ in judged]
    assert sum(otherwise) >= 3
