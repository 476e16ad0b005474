"""Graded damage to a portrait, to see that measures fall with it and where they cut off.

Each takes a picture, its face box and a strength in the unit named, so that strengths compare
between pictures: lengths in percent of the face's width, light in stops. Strength 0 changes
nothing but rounding. Light is changed in linear light (sRGB transfer of IEC 61966-2-1), as a lamp
or a shutter would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Box, Image

Linear = NDArray[np.float32]
"""Picture in linear light, 0..1 and above."""

# fmt: off
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)

Damage = Callable[[Image, Box, float], Image]


@dataclass(frozen=True, slots=True)
class Degradation:
    """A kind of damage.

    Attributes:
        name: what it is.
        unit: of the strength.
        strengths: from nothing to far too much.
        measure: field of ``Quality`` that has to fall with it; empty where none is meant to.
        apply: damages a picture.
    """

    name: str
    unit: str
    strengths: Sequence[float]
    measure: str
    apply: Damage


def to_linear(image: Image) -> Linear:
    """Turn sRGB values into linear light."""
    return _LINEAR[image]


def to_srgb(linear: Linear) -> Image:
    """Turn linear light into sRGB values; what is over 1 is clipped, as in a camera."""
    clipped = np.clip(linear, 0, 1)
    encoded = np.where(
        clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.power(clipped, 1 / 2.4) - 0.055
    )
    return np.asarray(np.rint(255 * encoded), np.uint8)


_levels = np.arange(256, dtype=np.float32) / 255
_LINEAR: Linear = np.where(
    _levels <= 0.04045, _levels / 12.92, ((_levels + 0.055) / 1.055) ** 2.4
).astype(np.float32)


def defocus(image: Image, box: Box, percent: float) -> Image:
    """Blur with a disc, as a lens out of focus does; strength is its diameter."""
    size = 2 * round(percent / 100 * box.width / 2) + 1
    if size < 3:
        return image
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
    return np.asarray(cv2.filter2D(image, -1, disc / disc.sum()), np.uint8)


def motion(image: Image, box: Box, percent: float) -> Image:
    """Smear sideways; strength is the length."""
    length = 2 * round(percent / 100 * box.width / 2) + 1
    return np.asarray(cv2.blur(image, (length, 1)), np.uint8)


def shake(image: Image, box: Box, percent: float) -> Image:
    """Smear up and down; strength is the length."""
    length = 2 * round(percent / 100 * box.width / 2) + 1
    return np.asarray(cv2.blur(image, (1, length)), np.uint8)


def downscale(image: Image, box: Box, octaves: float) -> Image:
    """Take away resolution and enlarge again; strength in halvings."""
    height, width = image.shape[:2]
    scale = 2.0**-octaves
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def exposure(image: Image, box: Box, stops: float) -> Image:
    """Over- or under-expose."""
    return to_srgb(to_linear(image) * np.float32(2.0**stops))


def underexposure(image: Image, box: Box, stops: float) -> Image:
    """Under-expose."""
    return exposure(image, box, -stops)


def gamma_dark(image: Image, box: Box, gamma: float) -> Image:
    """Bend the tone curve down; strength is the exponent less 1."""
    return np.asarray(np.rint(255 * (image / 255.0) ** (1 + gamma)), np.uint8)


def contrast(image: Image, box: Box, share: float) -> Image:
    """Take contrast away about the mean, as haze or a dirty lens does; strength 0..1."""
    mean = float(image.mean())
    return np.asarray(np.rint(mean + (1 - share) * (image - mean)), np.uint8)


def side_light(image: Image, box: Box, stops: float) -> Image:
    """Let the light fall off across the face from the picture's left to its right."""
    columns = (np.arange(image.shape[1]) - box.x) / max(1, box.width)
    fall = np.exp2(-stops * np.clip(columns, 0, 1)).astype(np.float32)
    return to_srgb(to_linear(image) * fall[None, :, None])


def top_light(image: Image, box: Box, stops: float) -> Image:
    """Let the light fall off down the face, as under a ceiling lamp."""
    rows = (np.arange(image.shape[0]) - box.y) / max(1, box.height)
    fall = np.exp2(-stops * np.clip(rows, 0, 1)).astype(np.float32)
    return to_srgb(to_linear(image) * fall[:, None, None])


def glare(image: Image, box: Box, percent: float) -> Image:
    """Put white spots with a soft rim on forehead and cheeks; strength is their width each."""
    linear = to_linear(image).copy()
    radius = percent / 200 * box.width
    if radius > 0:
        rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
        for x, y in ((0.5, 0.22), (0.3, 0.58), (0.7, 0.58)):
            centre = box.x + x * box.width, box.y + y * box.height
            distance = np.hypot(columns - centre[0], rows - centre[1])
            light = np.clip(1.5 * (1.3 - distance / radius), 0, 1.5)
            linear += light[..., None].astype(np.float32)
    return to_srgb(linear)


def jpeg(image: Image, box: Box, loss: float) -> Image:
    """Compress; strength is 100 less the quality."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(100 - loss)])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def noise(image: Image, box: Box, sigma: float) -> Image:
    """Add Gaussian noise, the same at every call; strength in levels of 255."""
    grain = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.asarray(np.clip(np.rint(image + grain), 0, 255), np.uint8)


def skin_mask(image: Image, mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Tell how far each pixel is skin, 0..1: inside the face's outline but not in the eyes.

    Args:
        image: the picture.
        mesh: (468, 2 or more) points of its face mesh.
    """
    mask = np.zeros(image.shape[:2], np.float32)
    for outline, value in ((_OVAL, 1.0), *((eye, 0.0) for eye in _EYES)):
        cv2.fillPoly(mask, [np.rint(mesh[list(outline), :2]).astype(np.int32)], value)
    width = float(np.ptp(mesh[:, 0]))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, width / 100)), np.float32)


def darker_skin(image: Image, skin: NDArray[np.float32], share: float) -> Image:
    """Repaint skin with less reflectance, and leave its highlights.

    Light from skin is the sum of what comes out of it, which the pigment colours, and what the
    surface reflects, which it does not. The second is taken as what exceeds half as much again as
    the skin around it. Melanin takes more of blue than of green and red (exponents 1.25, 1.1, .9).

    Args:
        image: the picture.
        skin: 0..1, (height, width), how far each pixel is skin.
        share: reflectance in green over what it was; very light to very dark skin is about .15.
    """
    linear = to_linear(image)
    reach = 0.15 * float(np.sqrt(skin.sum()))
    weight = cv2.GaussianBlur(skin, (0, 0), reach)[..., None] + np.float32(1e-6)
    around = cv2.GaussianBlur(linear * skin[..., None], (0, 0), reach) / weight
    shine = np.maximum(linear - np.float32(1.5) * around, 0)
    kept = np.power(np.float32(share), np.array((1.25, 1.1, 0.9), np.float32))
    repainted = (linear - shine) * kept + shine
    return to_srgb(linear + skin[..., None] * (repainted - linear))


DEGRADATIONS: tuple[Degradation, ...] = (
    Degradation("defocus", "% of face width", (0, 2, 4, 6, 8, 12, 16, 24), "blur", defocus),
    Degradation("motion sideways", "% of face width", (0, 2, 4, 6, 8, 12, 16, 24), "blur", motion),
    Degradation(
        "motion up and down", "% of face width", (0, 2, 4, 6, 8, 12, 16, 24), "blur", shake
    ),
    Degradation("resolution", "halvings", (0, 0.5, 1, 1.5, 2, 2.5, 3, 4), "blur", downscale),
    Degradation("over-exposure", "stops", (0, 0.5, 1, 1.5, 2, 2.5, 3, 4), "light", exposure),
    Degradation("under-exposure", "stops", (0, 1, 2, 3, 4, 5, 6, 7), "darkness", underexposure),
    Degradation("tone curve", "gamma - 1", (0, 0.5, 1, 1.5, 2, 3, 4, 6), "darkness", gamma_dark),
    Degradation("side light", "stops", (0, 1, 2, 3, 4, 6, 8, 10), "illumination", side_light),
    Degradation("top light", "stops", (0, 1, 2, 3, 4, 6, 8, 10), "illumination", top_light),
    Degradation("glare", "% of face width", (0, 5, 10, 15, 20, 30, 40, 50), "specularity", glare),
    Degradation("contrast lost", "share", (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "", contrast),
    Degradation("JPEG", "100 - quality", (10, 30, 50, 70, 80, 90, 95, 98), "", jpeg),
    Degradation("noise", "sigma", (0, 2, 5, 10, 15, 20, 30, 40), "", noise),
)
