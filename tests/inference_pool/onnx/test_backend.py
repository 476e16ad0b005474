from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.models.manifest import load_manifest
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.worker import make_estimator
from shared.codes import Code
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.frame.estimation import Backend, Image, Profile, Stage

RULES = Rules()


def test_portrait_passes_every_stage(backend: OnnxBackend, portrait: Image) -> None:
    """A good frame goes through all stages with the default thresholds and is described."""
    estimator = Estimator(backend, RULES, describe=True)
    estimate = estimator.estimate(portrait, Profile.PASSIVE)
    assert (estimate.errors, estimate.stage) == ((), Stage.LIVENESS)
    assert estimate.descriptor is not None
    assert estimate.ags is not None
    assert estimate.ags >= RULES.thresholds.ags


def test_same_frame_same_estimate(backend: OnnxBackend, portrait: Image) -> None:
    """Reused buffers do not affect the next frame."""
    estimator = Estimator(backend, RULES)
    first = estimator.estimate(portrait, Profile.PASSIVE)
    estimator.estimate(np.ascontiguousarray(portrait[::-1]), Profile.PASSIVE)
    second = estimator.estimate(portrait, Profile.PASSIVE)
    first.timings = second.timings = {}
    assert first == second


def test_a_frame_may_be_read_only(backend: OnnxBackend, portrait: Image) -> None:
    """A frame in shared memory may be mapped read-only."""
    assert not portrait.flags.writeable
    for profile in Profile:
        assert Estimator(backend, RULES).estimate(portrait, profile).ok


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 9), Code.BLURRED),
        (lambda image: image // 8, Code.TOO_DARK),
    ],
)
def test_a_quick_look_refuses_a_bad_frame(
    pulled: ModelStore, portrait: Image, damage: Callable[[Image], Image], code: Code
) -> None:
    """With the code of a full look; the undamaged frame gets a full look and passes."""
    backend = OnnxBackend(pulled)
    assert backend.capabilities.quick_look
    estimator, damaged = Estimator(backend, RULES), damage(portrait)
    quick = estimator.estimate(damaged, Profile.PASSIVE, quick=True)
    full = estimator.estimate(damaged, Profile.PASSIVE)
    assert (quick.quick, full.quick) == (True, False)
    assert code in quick.errors
    assert quick.errors == full.errors
    passing = estimator.estimate(portrait, Profile.PASSIVE, quick=True)
    assert (passing.ok, passing.quick) == (True, False)


def test_mirrored_frame_gives_the_same_person(backend: OnnxBackend, media: Path) -> None:
    """A mirrored image of a turned head gives the same angles."""
    image = np.asarray(cv2.imread(str(media / "stills" / "stock-emotions-a-2.jpg")), np.uint8)
    estimator = Estimator(backend, RULES)
    plain = estimator.estimate(image, Profile.PASSIVE)
    selfie = estimator.estimate(
        np.ascontiguousarray(image[:, ::-1]), Profile.PASSIVE, mirrored=True
    )
    assert plain.errors == selfie.errors == (Code.TURN_RIGHT,)
    assert plain.head_pose is not None
    assert selfie.head_pose is not None
    assert selfie.head_pose.yaw == pytest.approx(plain.head_pose.yaw, abs=4)


def test_a_tiny_face_is_not_a_second_face(backend: OnnxBackend, portrait: Image) -> None:
    """A tiny face in the background is ignored, a person behind is not."""

    def beside(width: int) -> int:
        scene = np.hstack((portrait, np.full((480, 240, 3), 90, np.uint8)))
        other = cv2.resize(portrait, (width, width * 3 // 4), interpolation=cv2.INTER_AREA)
        scene[: other.shape[0], 640 : 640 + width] = other
        return len(backend.detect(scene))

    assert (beside(100), beside(240)) == (1, 2)


def test_crowd_is_refused(backend: OnnxBackend, media: Path) -> None:
    """Every frame of a classroom shows several faces."""
    video = cv2.VideoCapture(str(media / "clips" / "classroom.gif"))
    estimator = Estimator(backend, RULES)
    verdicts = []
    while (read := video.read())[0]:
        verdicts.append(estimator.estimate(np.asarray(read[1], np.uint8), Profile.PASSIVE).errors)
    assert len(verdicts) > 10
    assert set(verdicts) == {(Code.SEVERAL_FACES,)}


def test_every_still_has_one_face(backend: OnnxBackend, media: Path) -> None:
    """Every person is found, and nothing else."""
    paths = [path for folder in ("stills", "pad") for path in sorted((media / folder).glob("*.*"))]
    found = {path.name: len(backend.detect(np.asarray(cv2.imread(str(path))))) for path in paths}
    assert len(found) > 10
    assert set(found.values()) == {1}


def test_capabilities_follow_the_models(models: ModelStore) -> None:
    """The backend says what its models can do, and fits the protocol."""
    backend: Backend = OnnxBackend(models, use_glasses=False)
    assert backend.capabilities.passive_liveness
    assert backend.capabilities.descriptor == models.available("descriptor")
    assert "reference" in backend.capabilities.name


def test_models_are_named_by_their_hashes(models_directory: Path) -> None:
    """The digest is of the models in use: the glasses model changes it, variants do not."""

    def digest(**settings: object) -> str:
        section = {"directory": str(models_directory), "provider": "cpu", **settings}
        config = Config.model_validate({"MODELS": section})
        return OnnxBackend.from_config(config).capabilities.models

    whole = digest()
    assert len(whole) == 16
    assert digest(rewritePrelu=False) == whole
    if (models_directory / load_manifest().reference["glasses"].file).is_file():
        assert digest(glasses=False) != whole


def test_a_reload_changes_the_checks(backend: OnnxBackend, portrait: Image) -> None:
    """After a reload the backend uses the new settings, like the rules in the estimate."""
    strict = Config.model_validate({"CHECKS": {"eyeOpen": 0.9, "moire": 5.0}})
    before, after = (
        make_estimator(backend, config).estimate(portrait, Profile.PASSIVE)
        for config in (Config(), strict)
    )
    assert before.ok
    assert after.errors == (Code.EYES_CLOSED,)
    seen = Config.model_validate({"CHECKS": {"moire": 100.0}})
    measured = make_estimator(backend, seen).estimate(portrait, Profile.PASSIVE).liveness
    assert measured is not None
    assert measured.moire > 0
    again = make_estimator(backend, Config()).estimate(portrait, Profile.PASSIVE)
    assert (again.eyes, again.liveness) == (before.eyes, before.liveness)
