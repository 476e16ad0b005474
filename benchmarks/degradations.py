"""Graded degradations of a portrait, to check that measures decrease and where they refuse.

Each takes an image, its face box and a strength. The units make strengths comparable between
images: lengths are in percent of the face's width, light in stops. Strength 0 only rounds. Light is
changed in linear light (sRGB transfer function of IEC 61966-2-1), like a lamp or a shutter does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Box, Image

Linear = NDArray[np.float32]
"""Image in linear light, 0..1 and above."""

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
    """A kind of degradation.

    Attributes:
        name: its name.
        unit: unit of the strength.
        strengths: from none to far too strong.
        measure: field of ``Quality`` that must decrease with it; empty if none must.
        apply: degrades an image.
    """

    name: str
    unit: str
    strengths: Sequence[float]
    measure: str
    apply: Damage


def to_linear(image: Image) -> Linear:
    """Convert sRGB values to linear light."""
    return _LINEAR[image]


def to_srgb(linear: Linear) -> Image:
    """Convert linear light to sRGB values; values over 1 are clipped, as in a camera."""
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
    """Blur with a disc, like a lens out of focus; the strength is its diameter."""
    size = 2 * round(percent / 100 * box.width / 2) + 1
    if size < 3:
        return image
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
    return np.asarray(cv2.filter2D(image, -1, disc / disc.sum()), np.uint8)


def motion(image: Image, box: Box, percent: float) -> Image:
    """Blur horizontally; the strength is the length."""
    length = 2 * round(percent / 100 * box.width / 2) + 1
    return np.asarray(cv2.blur(image, (length, 1)), np.uint8)


def shake(image: Image, box: Box, percent: float) -> Image:
    """Blur vertically; the strength is the length."""
    length = 2 * round(percent / 100 * box.width / 2) + 1
    return np.asarray(cv2.blur(image, (1, length)), np.uint8)


def downscale(image: Image, box: Box, octaves: float) -> Image:
    """Reduce the resolution and enlarge again; the strength is the number of halvings."""
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
    """Darken by a tone curve; the strength is the exponent minus 1."""
    return np.asarray(np.rint(255 * (image / 255.0) ** (1 + gamma)), np.uint8)


def contrast(image: Image, box: Box, share: float) -> Image:
    """Reduce contrast around the mean, like haze or a dirty lens; strength 0..1."""
    mean = float(image.mean())
    return np.asarray(np.rint(mean + (1 - share) * (image - mean)), np.uint8)


def side_light(image: Image, box: Box, stops: float) -> Image:
    """Let the light decrease across the face from the image's left to its right."""
    columns = (np.arange(image.shape[1]) - box.x) / max(1, box.width)
    fall = np.exp2(-stops * np.clip(columns, 0, 1)).astype(np.float32)
    return to_srgb(to_linear(image) * fall[None, :, None])


def top_light(image: Image, box: Box, stops: float) -> Image:
    """Let the light decrease down the face, as under a ceiling lamp."""
    rows = (np.arange(image.shape[0]) - box.y) / max(1, box.height)
    fall = np.exp2(-stops * np.clip(rows, 0, 1)).astype(np.float32)
    return to_srgb(to_linear(image) * fall[:, None, None])


def glare(image: Image, box: Box, percent: float) -> Image:
    """Add white spots with soft edges to forehead and cheeks; the strength is their width."""
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
    """Compress; the strength is 100 minus the quality."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(100 - loss)])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def noise(image: Image, box: Box, sigma: float) -> Image:
    """Add Gaussian noise, the same at every call; the strength is in levels of 255."""
    grain = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.asarray(np.clip(np.rint(image + grain), 0, 255), np.uint8)


def skin_mask(image: Image, mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return to which degree each pixel is skin, 0..1: inside the face but not in the eyes.

    Args:
        image: the image.
        mesh: (468, 2 or more) points of its face mesh.
    """
    mask = np.zeros(image.shape[:2], np.float32)
    for outline, value in ((_OVAL, 1.0), *((eye, 0.0) for eye in _EYES)):
        cv2.fillPoly(mask, [np.rint(mesh[list(outline), :2]).astype(np.int32)], value)
    width = float(np.ptp(mesh[:, 0]))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, width / 100)), np.float32)


def darker_skin(image: Image, skin: NDArray[np.float32], share: float) -> Image:
    """Reduce the reflectance of skin but keep its highlights.

    Light from skin is the sum of diffuse reflection, which the pigment colours, and of specular
    reflection, which it does not. Light above 1.5 times that of the surrounding skin is taken as
    specular. Melanin absorbs more blue than green and red (exponents 1.25, 1.1 and 0.9).

    Args:
        image: the image.
        skin: (height, width), 0..1, to which degree each pixel is skin.
        share: factor on the reflectance in green; from very light to very dark skin about 0.15.
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
