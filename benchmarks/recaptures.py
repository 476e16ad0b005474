"""A second simulator of prints and screens, made differently from ``evaluation.adapt``.

A head must not be judged by the simulator that it was trained with. This one works on pixel values
instead of light: a print is dithered at a few levels, and a screen's pixels are drawn one by one
and resampled, so its moire is real aliasing. Blur is motion, and compression is WebP.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations import glare, side_light, to_linear, to_srgb
from shared.frame.estimation import Box, Image

Chance = np.random.Generator
Values = NDArray[np.float32]

_YCC = cv2.COLOR_BGR2YCrCb
_CELL = np.array([[0, 2], [3, 1]])


def _bayer(doublings: int) -> Values:
    cell = _CELL
    for _ in range(doublings):
        cell = np.block([[4 * cell, 4 * cell + 2], [4 * cell + 3, 4 * cell + 1]])
    return ((cell + 0.5) / cell.size).astype(np.float32)


_DITHER = _bayer(2)
"""Thresholds of an ordered dither, 8 x 8."""


class SiteCamera:
    """The camera of one place: its blur, exposure, noise and compression hardly vary.

    Args:
        seed: chooses the camera.
    """

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self._blur = chance.uniform(0, 0.02)
        self._gain = chance.uniform(0.85, 1.15, 3).astype(np.float32)
        self._noise = chance.uniform(0.05, 0.25)
        self._quality = [cv2.IMWRITE_WEBP_QUALITY, int(chance.integers(60, 90))]

    def take(self, image: Image, face: Box, chance: Chance) -> Image:
        """Take an image: the camera moves a little, halves the chroma and compresses to WebP."""
        length = self._blur * chance.uniform(0.5, 1.5) * face.width
        seen = cv2.filter2D(image, cv2.CV_32F, _streak(length, chance.uniform(0, 180)))
        seen = seen * self._gain * chance.uniform(0.93, 1.07)
        grain = self._noise * chance.standard_normal(seen.shape, np.float32)
        ycc = cv2.cvtColor(_pixels(seen + np.sqrt(np.clip(seen, 1, 255)) * grain), _YCC)
        height, width = image.shape[:2]
        for channel in (1, 2):
            half = cv2.resize(
                ycc[..., channel], (width // 2, height // 2), interpolation=cv2.INTER_AREA
            )
            ycc[..., channel] = cv2.resize(half, (width, height))
        _, data = cv2.imencode(".webp", cv2.cvtColor(ycc, cv2.COLOR_YCrCb2BGR), self._quality)
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def dithered_print(image: Image, face: Box, chance: Chance) -> Image:
    """Print an image with a few ink levels on fibrous paper."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    lab[..., 1:] = 128 + (lab[..., 1:] - 128) * chance.uniform(0.6, 1.05) + chance.normal(0, 3, 2)
    inks = cv2.LUT(cv2.cvtColor(_pixels(lab), cv2.COLOR_LAB2BGR), _tones(chance))
    height, width = image.shape[:2]
    finer = chance.uniform(1, 2.5)
    size = round(width * finer), round(height * finer)
    large = cv2.resize(inks, size, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    thresholds = np.tile(_DITHER, (size[1] // 8 + 1, size[0] // 8 + 1))[: size[1], : size[0], None]
    levels = int(chance.integers(3, 9)) - 1
    dots = np.clip(np.floor(large * levels + thresholds) / levels, 0, 1)
    sheet = 255 * cv2.resize(dots, (width, height), interpolation=cv2.INTER_AREA)
    fibres = chance.standard_normal((height, width), np.float32)
    fibres = cv2.GaussianBlur(fibres, (0, 0), 3, sigmaY=1) * chance.uniform(0, 25)
    paper = side_light(_pixels(sheet + fibres[..., None]), face, chance.uniform(0, 0.7))
    return _held(paper, face, 235, chance)


def aliased_screen(image: Image, face: Box, chance: Chance) -> Image:
    """Draw an image as red, green and blue stripes, and resample them."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 1] *= chance.uniform(0.8, 1.35)
    shown = cv2.LUT(cv2.cvtColor(_pixels(hsv), cv2.COLOR_HSV2BGR), _tones(chance)).astype(
        np.float32
    )
    shown *= np.array([chance.uniform(1, 1.2), 1, chance.uniform(0.85, 1.02)], np.float32)
    height, width = image.shape[:2]
    pitch = chance.uniform(0.9, 1.6)
    size = round(width * pitch), round(height * pitch)
    points = _pixels(cv2.resize(shown, size, interpolation=cv2.INTER_AREA))
    lit = to_linear(points.repeat(3, axis=0).repeat(3, axis=1)) * _stripes(points.shape, chance)
    turn = chance.normal(0, 4)
    turned = _turned(lit, turn)
    kind = cv2.INTER_AREA if chance.random() < 0.5 else cv2.INTER_LINEAR
    seen = _turned(cv2.resize(turned, (width, height), interpolation=kind), -turn)
    screen = to_srgb(np.asarray(seen + chance.uniform(0, 0.03), np.float32))
    if chance.random() < 0.4:
        screen = glare(screen, face, chance.uniform(5, 25))
    return _held(screen, face, 15, chance)


Attack = Callable[[Image, Box, Chance], Image]
ATTACKS: dict[str, Attack] = {"print": dithered_print, "screen": aliased_screen}


def _pixels(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _tones(chance: Chance) -> Image:
    """Return a random rising tone curve that reaches neither black nor white."""
    steps = np.cumsum(np.r_[0, chance.uniform(0.6, 1.4, 4)])
    low, high = chance.uniform(5, 45), chance.uniform(200, 250)
    places = np.array([0, 64, 128, 192, 255.0])
    return _pixels(np.interp(np.arange(256), places, low + (high - low) * steps / steps[-1]))


def _streak(length: float, degrees: float) -> Values:
    """Return the kernel of a motion."""
    reach = round(length)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    kernel[reach] = 1
    turn = cv2.getRotationMatrix2D((reach, reach), degrees, 1)
    turned = np.asarray(cv2.warpAffine(kernel, turn, kernel.shape), np.float32)
    return turned / turned.sum()


def _stripes(shape: tuple[int, ...], chance: Chance) -> Values:
    """Return the light of each third of each pixel, with mean 1 for each colour."""
    dark, gap = chance.uniform(0.3, 0.9), chance.uniform(0.5, 1)
    pixel = np.full((3, 3, 3), dark, np.float32)
    for column, channel in enumerate((2, 1, 0)):
        pixel[:, column, channel] = 1
    pixel[2] *= gap
    return np.tile(pixel / pixel.mean(axis=(0, 1)), (shape[0], shape[1], 1))


def _turned(values: Values, degrees: float) -> Values:
    height, width = values.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = cv2.warpAffine(values, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.float32)


def _held(image: Image, face: Box, border: int, chance: Chance) -> Image:
    """Move, turn and scale an image a little around its face."""
    centre = face.x + face.width / 2, face.y + face.height / 2
    matrix = cv2.getRotationMatrix2D(centre, chance.normal(0, 2.5), chance.uniform(0.9, 1.15))
    matrix[:, 2] += chance.normal(0, 0.05, 2) * face.width
    size = image.shape[1], image.shape[0]
    held = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=[border] * 3)
    return np.asarray(held, np.uint8)
