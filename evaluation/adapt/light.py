"""Images as light, and the random patterns that prints, screens and cameras add to it.

Light is (height, width, 3), BGR, 0..1 and above. Pixel values are taken as its square root, which
is within a few percent of the sRGB curve and much faster.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

Light = NDArray[np.float32]
Chance = np.random.Generator

_TILE = 64
"""Side of the tile that ``repeated`` repeats; one period of the pattern."""


def to_light(image: Image) -> Light:
    """Convert pixel values to light."""
    return np.square(image.astype(np.float32) / 255)


def to_pixels(light: Light) -> Image:
    """Convert light to pixel values; light above 1 is clipped, as in a camera."""
    values = 255 * np.sqrt(np.clip(light, 0, 1))
    return np.asarray(np.rint(values), np.uint8)


def between(chance: Chance, low: float, high: float) -> float:
    """Draw a number, uniform between two bounds."""
    return float(chance.uniform(low, high))


def cloud(shape: tuple[int, int], cells: int, chance: Chance) -> Light:
    """Return a smooth random field with mean 0 and deviation 1, (height, width, 1).

    It has ``cells`` independent values along each side.
    """
    coarse = chance.standard_normal((cells, cells), np.float32)
    field = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, np.float32)[..., None]


def grain(shape: tuple[int, int], size: float, chance: Chance) -> Light:
    """Return noise with mean 0 and deviation 1 whose grains have about ``size`` pixels."""
    height, width = (max(2, round(side / size)) for side in shape)
    coarse = chance.standard_normal((height, width), np.float32)
    noise = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(noise, np.float32)[..., None]


def slope(shape: tuple[int, int], chance: Chance) -> Light:
    """Return a plane from about -1 to 1 in a random direction, (height, width, 1)."""
    angle = between(chance, 0, 2 * np.pi)
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None]
    plane = np.float32(np.cos(angle)) * columns + np.float32(np.sin(angle)) * rows
    return plane[..., None]


def repeated(tile: Light, shape: tuple[int, int], period: float, angle: float) -> Light:
    """Repeat a square tile of one period to (height, width), rotated by an angle in degrees."""
    height, width = shape
    scale = len(tile) / period
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pattern = cv2.warpAffine(tile, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
    return np.asarray(pattern, np.float32)


def dot_tile() -> Light:
    """Return one period of a clustered-dot screen: thresholds 0..1 that grow from the centre."""
    wave = np.cos(np.arange(_TILE) * 2 * np.pi / _TILE)
    return np.asarray((2 + wave[:, None] + wave[None]) / 4, np.float32)


def stripe_tile(phase: float, gap: float) -> Light:
    """Return one period of a column of sub-pixels.

    ``phase`` is the place of the bright stripe, ``gap`` the depth of the dark line between two
    rows; both 0..1.
    """
    places = np.arange(_TILE) / _TILE
    stripe = np.maximum(0, np.cos(2 * np.pi * (places - phase)))
    rows = 1 - gap * (np.cos(2 * np.pi * places) > 0.7)
    return np.asarray(np.pi * rows[:, None] * stripe[None], np.float32)
