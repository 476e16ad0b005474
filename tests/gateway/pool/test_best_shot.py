"""The best shot's JPEG has the pixels of the slot, encoded so that all decoders agree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.limits.buckets import TokenBucket
from gateway.pool.best_shot import encode_best_shot, encode_within
from gateway.pool.decoding import decode_into
from gateway.pool.workers import Lease
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.config.service import LimitsSection
from shared.errors import SlotError
from shared.frame import intake
from shared.frame.estimation import Image, Profile
from shared.frame.jpeg import START_OF_SCAN
from shared.frame.slab import Slab
from shared.wire.messages import Open
from tests.support.stamp import stamped_jpeg

LIMIT = LimitsSection().bestshotBytes


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the markers and contents of a JPEG up to its first scan."""
    position = 2
    while True:
        marker = jpeg[position + 1]
        length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
        yield marker, jpeg[position + 4 : position + 2 + length]
        if marker == START_OF_SCAN:
            return
        position += 2 + length


def decoded(jpeg: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def noise(width: int, height: int) -> Image:
    chance = np.random.default_rng([width, height])
    return chance.integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def slab(tmp_path: Path) -> Iterator[Slab]:
    made = Slab.create(slots=1, pixels=640 * 480)
    yield made
    made.close()


def lease(slab: Slab, data: bytes) -> Lease:
    """A frame decoded into its slot."""
    header = intake.judge(data, LimitsSection())
    decode_into(slab, 0, 3, 9, data, header)
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    session = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0)
    return Lease(1, 0, 3, session, PendingFrame(9, data, header, 0.0, 60.0), Profile.PASSIVE)


def test_it_shows_the_slot_and_describes_the_source(slab: Slab) -> None:
    """The judged pixels within a small JPEG error, and the digest, size and format of the file."""
    data = bytes(cv2.imencode(".png", decoded(stamped_jpeg(5, 6)))[1])
    leased = lease(slab, data)
    encode_best_shot(slab, leased, LIMIT)
    shot = leased.frame.shot
    assert shot is not None
    difference = np.abs(decoded(shot.image).astype(int) - slab.frame(0, 3, 9))
    assert difference.mean() < 1
    assert shot.seq == 9
    assert shot.source.claim() == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "format": "png",
    }


def test_a_slot_with_another_frame_is_not_encoded(slab: Slab) -> None:
    """No image is better than another frame's."""
    leased = lease(slab, stamped_jpeg(5, 6))
    leased.generation += 1
    with pytest.raises(SlotError):
        encode_best_shot(slab, leased, LIMIT)
    assert leased.frame.shot is None


def test_it_is_baseline_with_full_colours_and_no_metadata() -> None:
    """It has one scan, three components without subsampling, the JFIF segment and tables only."""
    found = list(segments(encode_within(noise(64, 48), LIMIT)))
    assert {marker for marker, _ in found} == {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    (frame,) = [content for marker, content in found if marker == 0xC0]
    assert frame[5] == 3
    assert [frame[7 + 3 * component] for component in range(3)] == [0x11] * 3
    (application,) = [content for marker, content in found if marker == 0xE0]
    assert application[:5] == b"JFIF\0"
    assert application[-2:] == b"\0\0"  # no thumbnail


def test_the_same_pixels_give_the_same_bytes() -> None:
    """Otherwise a session judged elsewhere could end with another token."""
    picture = noise(320, 240)
    assert encode_within(picture, LIMIT) == encode_within(picture.copy(), LIMIT)


@pytest.mark.parametrize("limit", [10_000, 50_000, LIMIT])
@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (640, 480), (1920, 1080), (4096, 16), (16, 4096)]
)
def test_its_size_is_limited(width: int, height: int, limit: int) -> None:
    """Noise is the worst case; if no quality fits, the image is reduced."""
    jpeg = encode_within(noise(width, height), limit)
    assert len(jpeg) <= limit
    shape = decoded(jpeg).shape
    assert shape[0] <= height
    assert shape[1] <= width
    assert shape[0] / shape[1] == pytest.approx(height / width, rel=0.35)


def test_a_large_image_fits_without_visible_loss(portrait: Image) -> None:
    """1920 x 1080 fits the default limit at full size, close to the judged pixels."""
    picture = np.asarray(cv2.resize(portrait, (1920, 1080)), np.uint8)
    jpeg = encode_within(picture, LIMIT)
    assert len(jpeg) <= LIMIT
    shown = decoded(jpeg)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).mean() < 3


def first_step(jpeg: bytes) -> int:
    """Return the quantisation step of a block's mean brightness; it grows as quality falls."""
    tables = [content for marker, content in segments(jpeg) if marker == 0xDB]
    return tables[0][1]


def test_quality_falls_only_as_far_as_needed() -> None:
    """An image keeps its size as long as any quality fits, and gets the best one that does."""
    picture = np.asarray(cv2.GaussianBlur(noise(640, 480), (0, 0), 1.5), np.uint8)
    whole = encode_within(picture, 10_000_000)
    steps = [first_step(whole)]
    for share in (0.9, 0.6, 0.45, 0.35):
        limit = int(len(whole) * share)
        jpeg = encode_within(picture, limit)
        assert limit / 2 < len(jpeg) <= limit
        assert decoded(jpeg).shape == picture.shape
        steps.append(first_step(jpeg))
    assert steps == sorted(steps)
    assert len(set(steps)) >= 4
