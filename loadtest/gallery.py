"""Pre-rendered frames of one person, which a whole crowd shares.

Rendering a frame takes tens of milliseconds. Choosing the frame nearest to a wanted look takes
microseconds, so one client core can play hundreds of people.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, fields
from pathlib import Path

import msgspec
import numpy as np

from loadtest.synthetic.look import Look
from loadtest.synthetic.sensor import Exposures
from shared.errors import ResourceError, os_errors

Take = Callable[[Look], bytes]
"""Takes one frame of a person with a look."""

VERSION = 1
_DEGREES = range(4, 29, 4)
_SWAYING = 12
_NEARNESS = Look(
    yaw=2.0,
    pitch=2.0,
    roll=2.0,
    left_eye_closed=0.15,
    right_eye_closed=0.15,
    mouth_open=0.15,
    distance=0.1,
    blur=0.5,
    brightness=0.1,
)
"""Scale of each property: such differences have equal weight when looks are compared."""


def looks(seed: int = 0) -> Iterator[Look]:
    """Yield the looks of a gallery: holding still, all gestures, and typical mistakes."""
    chance = random.Random(seed)  # noqa: S311  # a natural motion, no secret
    yield Look()
    for _ in range(_SWAYING):
        yield Look(
            yaw=chance.uniform(-1.5, 1.5), pitch=chance.uniform(-1, 1), roll=chance.uniform(-1, 1)
        )
    for degrees in _DEGREES:
        for side in (-degrees, degrees):
            yield Look(yaw=side)
            yield Look(pitch=side)
    for closed in (0.25, 0.5, 0.75, 1.0):
        yield Look(left_eye_closed=closed, right_eye_closed=closed)
    for distance in (1.4, 1.8):
        yield Look(distance=distance)
    yield Look(blur=4.0)
    yield Look(brightness=0.15)


class Gallery:
    """Frames by look, as encoded images.

    Raises:
        ResourceError: there is no frame, or the numbers of frames and looks differ.
    """

    def __init__(self, looks: list[Look], frames: list[bytes]) -> None:
        if not frames or len(looks) != len(frames):
            raise ResourceError(
                f"a gallery needs at least one frame and one look per frame;"
                f" found {len(frames)} frames and {len(looks)} looks"
            )
        self.looks = looks
        self.frames = frames
        self._scale = np.array(astuple(_NEARNESS), np.float32)
        self._table = np.array([astuple(look) for look in looks], np.float32) / self._scale

    @classmethod
    def render(cls, render: Take) -> Gallery:
        """Render all looks."""
        wanted = list(looks())
        return cls(wanted, [render(look) for look in wanted])

    def nearest_number(self, look: Look) -> int:
        """Return the index of the frame whose look is nearest to the wanted one."""
        wanted = np.array(astuple(look), np.float32) / self._scale
        distances = ((self._table - wanted) ** 2).sum(axis=1)
        return int(distances.argmin())

    def camera(self) -> Take:
        """Return a camera: a function that takes the frame nearest to a look, with new noise.

        Raises:
            ResourceError: a frame cannot be decoded.
        """
        exposures = [Exposures.of_file(frame) for frame in self.frames]
        return lambda look: exposures[self.nearest_number(look)].shot()

    def save(self, path: Path) -> None:
        """Save the gallery, for client machines without models.

        Raises:
            ResourceError: the file cannot be written.
        """
        looks = [asdict(look) for look in self.looks]
        with os_errors(f"gallery {path}: cannot be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.msgpack.encode([VERSION, looks, self.frames]))

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """Load a saved gallery.

        Raises:
            ResourceError: the file cannot be read or is not a gallery.
        """
        names = {field.name for field in fields(Look)}
        try:
            version, stored, frames = msgspec.msgpack.decode(path.read_bytes())
            if version != VERSION:
                raise ValueError(version)
            read = [Look(**{name: float(look[name]) for name in names}) for look in stored]
            return cls(read, [bytes(frame) for frame in frames])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ResourceError(
                f"gallery {path}: not a gallery, or not readable; delete it to render a new one"
            ) from error


def of_images(paths: list[Path]) -> Gallery:
    """Create a gallery of given images, shown in turn as the person sways; prompts have no effect.

    Raises:
        ResourceError: an image cannot be read.
    """
    try:
        frames = [path.read_bytes() for path in sorted(paths)]
    except OSError as error:
        raise ResourceError(f"image {error.filename}: {error.strerror}") from error
    steps = max(1, len(frames) - 1)
    return Gallery([Look(yaw=3 * n / steps - 1.5) for n in range(len(frames))], frames)
