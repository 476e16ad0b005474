"""A backend that reads a frame's person from its pixels, and returns it as the face box.

A frame mixed up anywhere between client and worker shows as a wrong box in the answer.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, replace

import numpy as np
import simplejpeg

from shared.config.service import Config
from shared.frame.estimation import (
    Box,
    Capabilities,
    Estimate,
    EyeCentres,
    Eyes,
    Face,
    Glasses,
    HeadPose,
    Image,
    Liveness,
    Mouth,
    Quality,
)

BLOCK = 16
BITS = 16
OFFSET = 10
SIZE = 200
DIE = 0xDEAD
"""A person number that kills the worker which reads it."""
HANG = 0xBEEF
"""A person number that hangs the worker which reads it."""
CAMERA_WIDTH = 640
PEOPLE = 400
"""Person numbers whose face box is inside a frame of 640x480."""


def stamped_jpeg(
    person: int, number: int, width: int = 640, height: int = 480, *, shot: int | None = None
) -> bytes:
    """Return an image with two 16-bit numbers as black and white blocks.

    Below them is noise, as from a sensor: no two calls give the same pixels, except those that name
    the same shot.
    """
    image = np.full((height, width, 3), 127, np.uint8)
    stamp(image, person, number)
    band = image[3 * BLOCK : 4 * BLOCK, :, :1]
    noise = random.Random(shot).randbytes(band.size)  # not a secret
    image[3 * BLOCK : 4 * BLOCK] = np.frombuffer(noise, np.uint8).reshape(band.shape)
    data: bytes = simplejpeg.encode_jpeg(image, quality=85, colorspace="BGR")
    return data


def stamp(image: Image, person: int, number: int) -> None:
    """Draw the two numbers over the upper left corner of an image."""
    for row, value in enumerate((person, number)):
        for bit in range(BITS):
            shade = 255 if value >> bit & 1 else 0
            image[row * BLOCK : (row + 1) * BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = shade


def shown_jpeg(sent: bytes) -> bytes:
    """Return a passed stamped image as in verdicts and videos: its pixels at quality 95."""
    pixels = simplejpeg.decode_jpeg(sent, "BGR")
    data: bytes = simplejpeg.encode_jpeg(
        pixels, quality=95, colorspace="BGR", colorsubsampling="444"
    )
    return data


def read_stamp(image: Image) -> tuple[int, int]:
    """Return the two numbers of a stamped image.

    A browser with slow answers sends images smaller than its camera's.
    """
    scale = min(1.0, max(image.shape[:2]) / CAMERA_WIDTH)
    places = ((np.arange(BITS) + 0.5) * BLOCK * scale).astype(int)
    centres = image[places[:2, None], places, 1] > 127
    person, number = (int(sum(1 << i for i, on in enumerate(row) if on)) for row in centres)
    return person, number


@dataclass(frozen=True)
class StampedFace:
    box: Box
    score: float = 1.0


class StampBackend:
    """Passes every stage; frames below number 20 are not live, so a session has 20 answers."""

    capabilities = Capabilities(passive_liveness=True, descriptor=False, name="stamp")

    def __init__(self, config: Config) -> None:
        self._number = 0

    def detect(self, image: Image) -> list[Face]:
        person, self._number = read_stamp(image)
        if person == DIE:
            os.kill(os.getpid(), 9)
        while person == HANG:
            time.sleep(0.1)
        if self._number == 0xFFFF:
            return []
        time.sleep(0.002)
        return [StampedFace(Box(person + OFFSET, self._number + OFFSET, SIZE, SIZE))]

    def quality(self, image: Image, face: Face) -> Quality:
        return Quality(1, 1, 1, 1, 1)

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        return HeadPose(0, 0, 0)

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        return Eyes(0.3, 0.3, True, True)

    def eye_centres(self, image: Image, face: Face) -> EyeCentres:
        return (280.0, 200.0), (360.0, 200.0)

    def mouth(self, image: Image, face: Face) -> Mouth:
        return Mouth(0, 0, 0)

    def glasses(self, image: Image, face: Face) -> Glasses:
        return "no_glasses"

    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        return 1.0

    def liveness(self, image: Image, face: Face) -> Liveness:
        live = self._number >= 20
        return Liveness(0.9 if live else 0.1, 1.0)

    def descriptor(self, image: Image, face: Face) -> bytes:
        return b""


WRONG_ACTION = 0x100
"""Added to a number: the head is turned and raised at once, which is no prompted action."""
OTHER_FACE = 0x200
"""Added to a number: the face of another person."""


class ActingStampBackend(StampBackend):
    """A stamp backend for plugins that use pose and face: two bits of the number select them."""

    capabilities = Capabilities(passive_liveness=True, descriptor=True, name="acting stamp")

    def detect(self, image: Image) -> list[Face]:
        box = super().detect(image)[0].box
        return [StampedFace(replace(box, y=OFFSET + self._number % WRONG_ACTION))]

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        degrees = 30.0 if self._number & WRONG_ACTION else 0.0
        return HeadPose(degrees, degrees, 0)

    def descriptor(self, image: Image, face: Face) -> bytes:
        other = bool(self._number & OTHER_FACE)
        return np.asarray([not other, other], np.float32).tobytes()


STRAIGHT, EYES_SHUT, LEFT, RIGHT, UP, DOWN = range(64, 70)
"""Numbers of frames of ``PosingStampBackend``: all are live, and show one person's action."""


class PosingStampBackend(StampBackend):
    """A stamp backend for ActiveLiveness: the number selects the person's action."""

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        yaw = {LEFT: 30.0, RIGHT: -30.0}.get(self._number, 0.0)
        pitch = {UP: 30.0, DOWN: -30.0}.get(self._number, 0.0)
        return HeadPose(yaw, pitch, 0)

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        shut = self._number == EYES_SHUT
        return Eyes(0.05, 0.05, False, False) if shut else Eyes(0.3, 0.3, True, True)
