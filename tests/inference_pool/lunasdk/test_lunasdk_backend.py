"""The LUNA SDK backend against a stand-in for FaceEngine in its three historic shapes.

The real module is not available: these tests check the backend against the public facts of its
interface, and prove nothing about the vendor's scores.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from shared.codes import Code
from shared.config.service import Config
from shared.errors import EstimationError, StartupError
from shared.frame.checks import Rules
from shared.frame.estimation import Box, Eyes, HeadPose, Liveness, Mouth, Profile, Quality, Stage
from tests.inference_pool.lunasdk.stand_in import (
    BOX,
    SHAPES,
    GlassesEstimation,
    Recipe,
    State,
    build,
    recipe,
)
from tests.support.log import logged

IMAGE = np.full((400, 480, 3), (10, 20, 204), np.uint8)
"""A red image in BGR order."""


@pytest.fixture
def answers() -> Recipe:
    return recipe()


@pytest.fixture
def sdk(tmp_path: Path) -> dict[str, Any]:
    """Bindings, data and a valid licence as files; the values of the section."""
    for folder in ("bindings", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "model.plan").touch()
    (tmp_path / "licence").write_text("valid")
    return {
        "sdkBindingsPath": str(tmp_path / "bindings"),
        "sdkDataPath": str(tmp_path / "data"),
        "sdkLicensePath": str(tmp_path / "licence"),
    }


@pytest.fixture(params=SHAPES)
def load(
    request: pytest.FixtureRequest, sdk: dict[str, Any], answers: Recipe
) -> Iterator[Callable[..., Any]]:
    """Load the backend as the worker does, over the stand-in in one shape."""
    sys.modules["FaceEngine"] = build(request.param, answers)
    before = list(sys.path)

    def load(**settings: Any) -> Any:
        values = {"WORKERS": {"backend": "lunasdk"}, "FACEENGINE": {**sdk, **settings}}
        return load_backend(Config.model_validate(values))

    yield load
    del sys.modules["FaceEngine"]
    sys.path[:] = before


def test_every_measurement_comes_from_the_sdk(load: Callable[..., Any]) -> None:
    """Each is taken by the right call, in every shape of the bindings."""
    backend = load()
    (face,) = backend.detect(IMAGE)
    assert face.box == Box(*BOX)
    assert backend.quality(IMAGE, face) == Quality(0.91, 0.92, 0.93, 0.94, 1.0)
    assert backend.head_pose(IMAGE, face) == HeadPose(12.0, -7.0, 3.0)
    assert backend.eyes(IMAGE, face, careful=True) == Eyes(0.3, 0.0, True, False)
    assert backend.mouth(IMAGE, face) == Mouth(0.1, 0.2, 0.3)
    assert backend.glasses(IMAGE, face) == "eyeglasses"
    assert backend.ags(IMAGE, face, None) == 0.88
    assert backend.liveness(IMAGE, face) == Liveness(0.93, 1.0)


def test_the_sdk_gets_red_first(load: Callable[..., Any]) -> None:
    """A frame is BGR and FaceEngine gets R8G8B8: the stand-in scores by its first channel."""
    (face,) = load().detect(IMAGE)
    assert face.score == pytest.approx(204 / 255)


def test_signs_of_angles_are_settings(load: Callable[..., Any]) -> None:
    """The vendor documents no sign, so each angle's can be inverted."""
    backend = load(yawSign=-1, pitchSign=-1, rollSign=-1)
    (face,) = backend.detect(IMAGE)
    assert backend.head_pose(IMAGE, face) == HeadPose(-12.0, 7.0, -3.0)


def test_its_measurements_feed_the_same_checks(load: Callable[..., Any], answers: Recipe) -> None:
    """A good frame passes every stage; closed eyes fail with the code of LUNA PASS."""
    estimator = Estimator(load(), Rules())
    good = estimator.estimate(IMAGE, Profile.PASSIVE)
    assert (good.errors, good.stage) == ((), Stage.LIVENESS)
    answers.left_eye = answers.right_eye = State.Closed
    assert estimator.estimate(IMAGE, Profile.PASSIVE).errors == (Code.EYES_CLOSED,)


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        ("detect", Code.ESTIMATION_FAILED),
        ("quality", Code.ESTIMATION_FAILED),
        ("warp", Code.ESTIMATION_FAILED),
        ("mouth", Code.MOUTH_FAILED),
        ("eyes", Code.EYES_FAILED),
        ("glasses", Code.GLASSES_FAILED),
        ("liveness", Code.LIVENESS_FAILED),
    ],
)
def test_a_failed_call_fails_its_stage(
    load: Callable[..., Any], answers: Recipe, failing: str, code: Code
) -> None:
    """After an error of the SDK its value is not used: the stage fails with its code."""
    estimator = Estimator(load(), Rules())
    answers.failing = (failing,)
    assert estimator.estimate(IMAGE, Profile.PASSIVE).errors == (code,)


def test_an_exception_fails_its_stage_and_is_one_line(
    load: Callable[..., Any], answers: Recipe
) -> None:
    """Whatever native code raises, the stage fails with its code; the log has each series once."""
    estimator = Estimator(load(), Rules())
    with logged("inference_pool.lunasdk.backend", logging.INFO) as lines:
        answers.raising = ("liveness",)
        for _ in range(3):
            estimate = estimator.estimate(IMAGE, Profile.PASSIVE)
            assert estimate.errors == (Code.LIVENESS_FAILED,)
        answers.raising = ()
        assert estimator.estimate(IMAGE, Profile.PASSIVE).errors == ()
    failed, worked = (line["message"] for line in lines)
    assert "liveness raised in native code" in failed
    assert "works again" in worked


def test_any_exception_at_start_up_is_one_line(
    load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bindings lack a name, or a call has other arguments."""
    module = sys.modules["FaceEngine"]
    with monkeypatch.context() as changed:
        changed.delattr(module, "FACE_DET_V3")
        with pytest.raises(StartupError, match=r"\[FACEENGINE\].*FACE_DET_V3"):
            load()

    def refuse(**_: Any) -> None:
        raise TypeError("wrong arguments\n  1. (dataPath: str)")

    monkeypatch.setattr(module, "createFaceEngine", refuse)
    with pytest.raises(StartupError, match="wrong arguments 1") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_nan_score_fails(load: Callable[..., Any], answers: Recipe) -> None:
    """NaN is a failed estimation instead of a passed comparison."""
    answers.liveness = float("nan")
    estimate = Estimator(load(), Rules()).estimate(IMAGE, Profile.PASSIVE)
    assert estimate.errors == (Code.LIVENESS_FAILED,)
    assert estimate.liveness is None


def test_unrecognised_glasses_fail(load: Callable[..., Any], answers: Recipe) -> None:
    """EstimationError is a value of the vendor's enumeration but not a kind of glasses."""
    answers.glasses = GlassesEstimation.EstimationError
    backend = load()
    (face,) = backend.detect(IMAGE)
    with pytest.raises(EstimationError):
        backend.glasses(IMAGE, face)


def test_an_empty_detection_gives_code_8(load: Callable[..., Any], answers: Recipe) -> None:
    """It means that there is no face."""
    answers.faces = 0
    assert Estimator(load(), Rules()).estimate(IMAGE, Profile.PASSIVE).errors == (Code.NO_FACE,)


def test_a_refused_licence_is_one_line(load: Callable[..., Any], sdk: dict[str, Any]) -> None:
    """The newer result object is truthy even for a refusal, which must stop the start."""
    Path(sdk["sdkLicensePath"]).write_text("expired")
    with pytest.raises(StartupError, match=r"\[FACEENGINE\] sdkLicensePath") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_missing_model_is_one_line(load: Callable[..., Any], answers: Recipe) -> None:
    """A creator that fails names itself, the data and the licence."""
    answers.missing = ("createLivenessOneShotRGBEstimator",)
    with pytest.raises(StartupError, match="createLivenessOneShotRGBEstimator"):
        load()


@pytest.mark.parametrize("key", ["sdkBindingsPath", "sdkDataPath", "sdkLicensePath"])
def test_a_missing_path_is_named(load: Callable[..., Any], key: str) -> None:
    """The error for a missing path names its key."""
    with pytest.raises(StartupError, match=key):
        load(**{key: "/nowhere/at/all"})


def test_empty_data_is_one_line(load: Callable[..., Any], sdk: dict[str, Any]) -> None:
    """Data that FaceEngine refuses is named with the vendor's reason."""
    (Path(sdk["sdkDataPath"]) / "model.plan").unlink()
    with pytest.raises(StartupError, match=r"sdkDataPath .*data is empty"):
        load()


def test_bindings_that_do_not_load_are_one_line(sdk: dict[str, Any]) -> None:
    """A folder without the module, or with a missing native library, is reported."""
    values = {"WORKERS": {"backend": "lunasdk"}, "FACEENGINE": sdk}
    before = list(sys.path)
    try:
        with pytest.raises(StartupError, match="FaceEngine cannot be imported"):
            load_backend(Config.model_validate(values))
    finally:
        sys.path[:] = before


def test_models_are_named_by_the_data(load: Callable[..., Any], sdk: dict[str, Any]) -> None:
    """The name has the names and sizes of its files, and the signs of the angles."""
    first = load().capabilities.models
    assert (len(first), load().capabilities.models) == (16, first)
    assert load(yawSign=-1).capabilities.models != first
    (Path(sdk["sdkDataPath"]) / "other.plan").write_bytes(b"weights")
    assert load().capabilities.models != first
