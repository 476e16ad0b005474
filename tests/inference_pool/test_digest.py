"""The digest of pixels: only equal pixels have equal digests."""

from __future__ import annotations

import cv2
import numpy as np

from inference_pool.digest import pixel_digest
from shared.config.service import LimitsSection
from shared.frame import intake
from shared.frame.decoding import decode_into
from shared.frame.estimation import Image
from tests.support.stamp import stamped_jpeg


def decoded(data: bytes) -> Image:
    """Decode an image like the gateway."""
    header = intake.judge(data, LimitsSection())
    width, height = header.upright_size
    image: Image = np.empty((height, width, 3), np.uint8)
    decode_into(image, data, header)
    return image


def encoded(image: Image, suffix: str) -> bytes:
    _, data = cv2.imencode(suffix, image)
    return bytes(data)


def test_the_file_format_does_not_matter() -> None:
    """The same pixels from JPEG and PNG, and as a slice of other memory, have the same digest."""
    jpeg = stamped_jpeg(1, 1)
    image = decoded(jpeg)
    digest = pixel_digest(image)
    assert len(digest) == 16
    assert pixel_digest(decoded(encoded(image, ".png"))) == digest
    assert pixel_digest(decoded(jpeg[:2] + b"\xff\xfe\x00\x05abc" + jpeg[2:])) == digest
    wide = np.zeros((480, 1280, 3), np.uint8)
    wide[:, :640] = image
    assert pixel_digest(wide[:, :640]) == digest


def test_a_single_changed_bit_changes_the_digest() -> None:
    """Other positions of the pixels and another image size change it, too."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[0, 0, 0] = 1
    one_bit = image.copy()
    one_bit[47, 63, 2] ^= 1
    pictures = [image, one_bit, image[::-1], image.reshape(64, 48, 3), image[:47]]
    assert len({pixel_digest(picture) for picture in pictures}) == len(pictures)
