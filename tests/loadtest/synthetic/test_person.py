"""The synthetic person, measured by the real models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import Portrait
from shared.frame.checks import Rules, margins
from shared.frame.estimation import HeadPose, Profile, Stage
from tests.loadtest.conftest import See, fitted_to

YAWS = (-25.0, -20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
PITCHES = YAWS[1:-1]
PoseOf = Callable[[Look], HeadPose]


def rising(values: list[float]) -> bool:
    return all(first < second for first, second in pairwise(values))


def test_the_neutral_look_passes_every_check(backend: OnnxBackend, person: Person) -> None:
    """The frame passes all stages up to liveness with the thresholds of LUNA PASS."""
    estimate = Estimator(backend, Rules()).estimate(person.render(Look()), Profile.PASSIVE)
    assert estimate.ok
    assert estimate.stage is Stage.LIVENESS
    assert estimate.liveness is not None
    assert estimate.liveness.score >= 0.6
    assert estimate.face is not None
    assert min(estimate.face.width, estimate.face.height) >= 200


def test_yaw_is_measured(pose_of: PoseOf) -> None:
    """Yaw up to 25 degrees is measured in order, with its sign, within 6 degrees."""
    seen = [pose_of(Look(yaw=yaw)).yaw for yaw in YAWS]
    assert rising(seen)
    assert seen == pytest.approx(YAWS, abs=6)


def test_pitch_is_measured(pose_of: PoseOf) -> None:
    """Pitch up to 20 degrees is measured in order, with its sign, within 6 degrees."""
    seen = [pose_of(Look(pitch=pitch)).pitch for pitch in PITCHES]
    assert rising(seen)
    assert seen == pytest.approx(PITCHES, abs=6)


def test_roll_is_measured(pose_of: PoseOf) -> None:
    """Roll up to 25 degrees is measured in order, with its sign, within 6 degrees."""
    seen = [pose_of(Look(roll=roll)).roll for roll in YAWS]
    assert rising(seen)
    assert seen == pytest.approx(YAWS, abs=6)


@pytest.mark.parametrize(
    "look", [Look(yaw=28), Look(yaw=-28), Look(pitch=28), Look(pitch=-28), Look(roll=20)], ids=str
)
def test_a_turned_face_keeps_size_and_margins(
    backend: OnnxBackend, person: Person, look: Look
) -> None:
    """A face turned for an action fails no check of faces, quality, size or margins."""
    estimate = Estimator(backend, Rules()).estimate(person.render(look), Profile.ACTIVE)
    assert estimate.ok
    assert min(margins(estimate)) >= 10


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("right", [0, 1])
def test_each_eye_shuts_by_itself(backend: OnnxBackend, see: See, left: int, right: int) -> None:
    """A shut eye is measured below .15, an open one above .25, each on its own side."""
    image, face = see(Look(left_eye_closed=left, right_eye_closed=right))
    eyes = backend.eyes(image, face, careful=True)
    assert (eyes.left < 0.15, eyes.right < 0.15) == (left == 1, right == 1)
    assert (eyes.left > 0.25, eyes.right > 0.25) == (left == 0, right == 0)


def test_eyes_close_gradually(backend: OnnxBackend, see: See) -> None:
    """Openness falls from open over half shut to shut."""
    seen = []
    for closed in (0.0, 0.5, 1.0):
        look = Look(left_eye_closed=closed, right_eye_closed=closed)
        eyes = backend.eyes(*see(look), careful=True)
        seen.append(-(eyes.left + eyes.right))
    assert rising(seen)


def test_an_opened_mouth_is_measured(backend: OnnxBackend, see: See) -> None:
    """The score of an opened mouth rises with the opening, past the threshold of LUNA PASS."""
    scores = [backend.mouth(*see(Look(mouth_open=part))).opened for part in (0, 0.5, 1)]
    assert rising(scores)
    assert scores[0] <= 0.4 < scores[-1]


def test_blur_lowers_sharpness(backend: OnnxBackend, see: See) -> None:
    """The measurement of sharpness falls with each added blur."""
    seen = [-backend.quality(*see(Look(blur=blur))).blur for blur in (1, 2, 4)]
    assert rising(seen)


def test_brightness_moves_light_and_darkness(backend: OnnxBackend, see: See) -> None:
    """Less light lowers the measurement of darkness, more light lowers that of light."""
    dark = [backend.quality(*see(Look(brightness=part))).darkness for part in (0.15, 0.3, 0.6)]
    light = [-backend.quality(*see(Look(brightness=part))).light for part in (1, 1.3, 1.6)]
    assert rising(dark)
    assert rising(light)


def test_distance_shrinks_the_face(see: See) -> None:
    """The width of the face is inverse to the distance."""
    near, plain, far = (see(Look(distance=far))[1].box.width for far in (0.8, 1, 1.6))
    assert near / plain == pytest.approx(1 / 0.8, rel=0.1)
    assert far / plain == pytest.approx(1 / 1.6, rel=0.1)


def test_rendering_is_deterministic(fitted: Portrait) -> None:
    """Equal looks give equal frames, whatever was rendered before and by whom."""
    look = Look(yaw=12, pitch=-7, roll=3, left_eye_closed=0.4, mouth_open=0.3)
    first, second = Person(fitted), Person(fitted)
    second.render(Look(yaw=-20))
    assert np.array_equal(first.render(look), second.render(look))


def test_border_is_fixed(person: Person) -> None:
    """A turning head leaves the outermost columns of the frame unchanged."""
    plain, turned = person.render(Look()), person.render(Look(yaw=20, pitch=10))
    assert np.array_equal(plain[:, :16], turned[:, :16])
    assert np.array_equal(plain[:, -16:], turned[:, -16:])


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720)])
def test_frames_have_the_requested_size(
    backend: OnnxBackend, fitted: Portrait, size: tuple[int, int]
) -> None:
    """The face is shown in proportion to it, off the borders."""
    frame = Person(fitted, size).render(Look())
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    (face,) = backend.detect(frame)
    assert 0.4 * min(size) < face.box.width < 0.6 * min(size)
    assert face.box.x >= 10
    assert face.box.y >= 10


def test_jpeg_decodes_to_the_frame(person: Person) -> None:
    """The JPEG of a look shows the look, up to the loss of the encoding."""
    look = Look(yaw=5)
    decoded = cv2.imdecode(np.frombuffer(person.render_jpeg(look, 95), np.uint8), 1)
    assert decoded is not None
    loss = np.abs(decoded.astype(int) - person.render(look)).mean()
    assert loss < 4
    assert len(person.render_jpeg(look, 40)) < len(person.render_jpeg(look, 95))


@pytest.mark.parametrize("name", ["left_eye_closed", "right_eye_closed", "mouth_open"])
def test_expression_changes_its_own_part_only(person: Person, name: str) -> None:
    """An eyelid or the mouth leaves most of the frame untouched."""
    look = Look()
    changed = person.render(replace(look, **{name: 1.0})) != person.render(look)
    assert 0 < changed.any(axis=2).mean() < 0.25


@pytest.mark.media
@pytest.mark.parametrize("name", ["obama.jpg", "stock-emotions-a-1.jpg", "stock-emotions-a-3.jpg"])
def test_other_portraits_act_correctly(backend: OnnxBackend, media: Path, name: str) -> None:
    """Any frontal portrait with visible eyes turns to the right side, nods and shuts its eyes."""
    image = cv2.imread(str(media / "stills" / name))
    assert image is not None
    other = Person(fitted_to(np.asarray(image, np.uint8), backend))

    def pose(look: Look) -> HeadPose:
        frame = other.render(look)
        (face,) = backend.detect(frame)
        return backend.head_pose(frame, face)

    plain = pose(Look())
    for angle in (-20, 20):
        assert pose(Look(yaw=angle)).yaw - plain.yaw == pytest.approx(angle, abs=9)
        assert pose(Look(pitch=angle)).pitch - plain.pitch == pytest.approx(angle, abs=9)
    frame = other.render(Look(left_eye_closed=1, right_eye_closed=1))
    (face,) = backend.detect(frame)
    eyes = backend.eyes(frame, face, careful=True)
    assert max(eyes.left, eyes.right) < 0.15
