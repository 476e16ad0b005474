"""Stamps in the centre of a camera's image: the page sends no more than it shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg

from shared.frame.estimation import Box, Face, Image
from tests.support.service import Service, running
from tests.support.stamp import (
    BITS,
    BLOCK,
    CAMERA_WIDTH,
    StampBackend,
    StampedFace,
    read_stamp,
    stamp,
)

CAMERA_HEIGHT = 480
WIDTH, HEIGHT = BITS * BLOCK, 4 * BLOCK
"""Size of stamp and noise."""
FACE_WIDTH, FACE_HEIGHT = 206, 280
"""Size of the face box in the camera's image; such a face fills the page's oval."""
PLACES = {
    11: (0, 0),
    12: (-90, 0),
    13: (90, 0),
    14: (0, -90),
    15: (0, 90),
    16: (-90, -90),
    17: (90, -90),
    18: (-90, 90),
    19: (90, 90),
}
"""Person numbers with their own positions: pixels between the centres of face and camera image."""


def filmed_jpeg(person: int, number: int) -> bytes:
    """Return an image of 640x480 with both numbers in its centre, and noise below them."""
    image = np.full((CAMERA_HEIGHT, CAMERA_WIDTH, 3), 127, np.uint8)
    film(image, person, number)
    data: bytes = simplejpeg.encode_jpeg(image, quality=85, colorspace="BGR")
    return data


def film(image: Image, person: int, number: int) -> None:
    """Draw the numbers and the noise into the centre of an image."""
    left, top = (image.shape[1] - WIDTH) // 2, (image.shape[0] - HEIGHT) // 2
    part = image[top : top + HEIGHT, left : left + WIDTH]
    stamp(part, person, number)
    part[3 * BLOCK :] = np.random.default_rng().integers(0, 256, (BLOCK, WIDTH, 1), dtype=np.uint8)


def stamped_part(image: Image, camera_height: int = CAMERA_HEIGHT) -> Image:
    """Return an image for ``StampBackend`` with the stamp of a frame whose height is the camera's.

    A browser with slow answers sends images smaller than its camera's.
    """
    height, width = image.shape[:2]
    scale = height / camera_height
    left, top = round((width - WIDTH * scale) / 2), round((height - HEIGHT * scale) / 2)
    part = image[top : height - top, left : width - left]
    whole = np.full((CAMERA_HEIGHT, CAMERA_WIDTH, 3), 127, np.uint8)
    whole[:HEIGHT, :WIDTH] = cv2.resize(part, (WIDTH, HEIGHT))
    return whole


class FilmedBackend(StampBackend):
    """``StampBackend`` for a browser's camera, with the face in the oval."""

    def detect(self, image: Image) -> list[Face]:
        part = stamped_part(image)
        if not super().detect(part):
            return []
        scale = image.shape[0] / CAMERA_HEIGHT
        across, down = PLACES.get(read_stamp(part)[0], (0, 0))
        width, height = round(FACE_WIDTH * scale), round(FACE_HEIGHT * scale)
        left = round((image.shape[1] - width) / 2 + across * scale)
        top = round((image.shape[0] - height) / 2 + down * scale)
        return [StampedFace(Box(left, top, width, height))]


BACKEND = f'backend = "{__name__}:FilmedBackend"'


@contextlib.contextmanager
def filming(
    settings: str = "", *, workers: int = 1, worker_settings: str = BACKEND
) -> Iterator[Service]:
    """Run a service whose workers read these stamps."""
    with running(settings, workers=workers, worker_settings=worker_settings) as service:
        yield service
