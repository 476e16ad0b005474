from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.quality import SIZE, FaceQuality, matteness
from shared.codes import Code
from shared.errors import EstimationError
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Box, Estimate, Image, Quality, Stage

MEASURE = FaceQuality()


def graded(
    image: Image, face: DetectedFace, change: Callable[[float], np.ndarray]
) -> list[Quality]:
    """Return the qualities of an image degraded in ten steps."""
    pictures = (np.clip(change(step / 10), 0, 255).astype(np.uint8) for step in range(11))
    return [MEASURE.measure(picture, face.box) for picture in pictures]


def falls(scores: list[float]) -> bool:
    """Whether scores never rise, except for noise, and fall far."""
    steps = np.diff(scores)
    return bool((steps < 0.02).all() and scores[0] - scores[-1] > 0.4)


def codes(measured: Quality) -> tuple[Code, ...]:
    return judge(Stage.QUALITY, Estimate(640, 480, faces=1, quality=measured), Rules())


def test_good_portrait_passes(portrait: Image, face: DetectedFace) -> None:
    """A sharp, well lit portrait passes the default thresholds."""
    assert codes(MEASURE.measure(portrait, face.box)) == ()


def test_stills_pass(backend: OnnxBackend, media: Path) -> None:
    """All stills pass, of light and darker skin, in even and in studio light."""
    stills = sorted((media / "stills").glob("*.jpg"))
    assert stills
    for path in stills:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        (face,) = backend.detect(image)
        assert (path.name, codes(backend.quality(image, face))) == (path.name, ())


def test_gaussian_blur(portrait: Image, face: DetectedFace) -> None:
    """The wider the blur, the lower the score; a strong one is refused."""
    series = graded(
        portrait,
        face,
        lambda s: cv2.GaussianBlur(portrait, (0, 0), 6 * s) if s else portrait,
    )
    assert falls([quality.blur for quality in series])
    assert codes(series[-1]) == (Code.BLURRED,)


@pytest.mark.parametrize("across", [False, True])
def test_motion_blur(portrait: Image, face: DetectedFace, across: bool) -> None:
    """Blur in either direction counts in full."""

    def smear(step: float) -> np.ndarray:
        length = 2 * round(12 * step) + 1
        kernel = np.full((1, length), 1 / length, np.float32)
        return cv2.filter2D(portrait, -1, kernel.T if across else kernel)

    series = graded(portrait, face, smear)
    assert falls([quality.blur for quality in series])
    assert codes(series[-1]) == (Code.BLURRED,)


def test_overexposure(portrait: Image, face: DetectedFace) -> None:
    """The more highlights are clipped, the lower the score."""
    series = graded(portrait, face, lambda s: portrait.astype(float) * (1 + s))
    assert falls([quality.light for quality in series])
    assert Code.TOO_LIGHT in codes(series[-1])


def test_underexposure(portrait: Image, face: DetectedFace) -> None:
    """The darker the exposure, the lower the score."""
    series = graded(portrait, face, lambda s: portrait * 0.1**s)
    assert falls([quality.darkness for quality in series])
    assert Code.TOO_DARK in codes(series[-1])


def test_gamma(portrait: Image, face: DetectedFace) -> None:
    """Darker and lighter curves each lower only one score."""
    dark = graded(portrait, face, lambda s: 255 * (portrait / 255) ** (1 + 11 * s))
    light = graded(portrait, face, lambda s: 255 * (portrait / 255) ** (1 - 0.9 * s))
    assert falls([quality.darkness for quality in dark])
    assert falls([quality.light for quality in light])
    assert min(quality.light for quality in dark) == dark[0].light
    assert min(quality.darkness for quality in light) == light[0].darkness


def test_darker_skin_in_good_light_passes(portrait: Image, face: DetectedFace) -> None:
    """Skin with a third of the reflectance, with its highlights, is not a dark frame."""
    tone = portrait * np.array((0.25, 0.32, 0.42))
    highlights = np.clip(portrait.astype(float) - 190, 0, None) * 1.5
    darker = np.clip(tone + highlights, 0, 255).astype(np.uint8)
    assert codes(MEASURE.measure(darker, face.box)) == ()


@pytest.mark.parametrize("turns", range(4))
def test_side_light(portrait: Image, face: DetectedFace, turns: int) -> None:
    """The more the light falls off to any side, the lower the score."""
    box = face.box
    ramp = np.linspace(0, 1, max(box.width, box.height))
    square = np.rot90(np.tile(ramp, (len(ramp), 1)), turns)
    shade = cv2.resize(np.ascontiguousarray(square), (box.width, box.height))[..., None]

    def lit(step: float) -> np.ndarray:
        lit_face = portrait.astype(float)
        area = lit_face[box.y : box.y + box.height, box.x : box.x + box.width]
        area *= np.exp(-6 * step * shade)
        return lit_face

    series = graded(portrait, face, lit)
    assert falls([quality.illumination for quality in series])
    assert Code.UNEVEN_LIGHT in codes(series[-1])


def test_glare(portrait: Image, face: DetectedFace) -> None:
    """The larger the glaring spot, the lower the score; colour does not count as glare."""
    centre = (face.box.x + face.box.width // 2, face.box.y + face.box.height // 2)

    def spot(colour: tuple[int, int, int]) -> Callable[[float], np.ndarray]:
        def paint(step: float) -> np.ndarray:
            radius = int(0.35 * face.box.width * step)
            return cv2.circle(portrait.copy(), centre, radius, colour, -1)

        return paint

    white = graded(portrait, face, spot((255, 255, 255)))
    pink = graded(portrait, face, spot((150, 180, 255)))
    assert falls([quality.specularity for quality in white])
    assert Code.GLARE in codes(white[-1])
    assert Code.GLARE not in codes(pink[-1])


@pytest.mark.parametrize("value", [229, 231, 236, 252])
@pytest.mark.parametrize("share", [0.02, 0.05, 0.3])
def test_colours_are_evaluated_if_they_matter(value: int, share: float) -> None:
    """``may_glare`` is false only if ``matteness`` is 1."""
    area = np.full((SIZE, SIZE, 3), 120, np.uint8)
    area[: round(share * SIZE)] = value
    area = np.random.default_rng(0).permutation(area.reshape(-1, 3)).reshape(area.shape)
    frame = np.zeros((160, 160, 3), np.uint8)
    frame[24:152, 16:144] = area
    measured = MEASURE.measure(frame, Box(0, 0, 160, 160))
    assert measured.specularity == pytest.approx(matteness(area), abs=1e-6)


def test_size_of_the_face_does_not_change_the_verdict(portrait: Image, face: DetectedFace) -> None:
    """A face at a higher resolution is as sharp."""
    box = face.box
    double = cv2.resize(portrait, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    larger = Box(2 * box.x, 2 * box.y, 2 * box.width, 2 * box.height)
    near, far = MEASURE.measure(double, larger), MEASURE.measure(portrait, box)
    assert near.blur == pytest.approx(far.blur, abs=0.1)


def test_face_outside_the_frame(portrait: Image) -> None:
    """A box without pixels cannot be measured; one that is cut off can."""
    with pytest.raises(EstimationError):
        MEASURE.measure(portrait, Box(-500, 0, 100, 100))
    assert 0 <= MEASURE.measure(portrait, Box(-100, -50, 300, 300)).blur <= 1


@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_uniform_image_has_no_sharpness(level: int) -> None:
    """The measurements stay within 0..1."""
    flat = np.full((200, 200, 3), level, np.uint8)
    assert MEASURE.measure(flat, Box(0, 0, 200, 200)).blur == 0
