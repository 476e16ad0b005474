from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from inference_pool.onnx.ags import suitability
from shared.errors import EstimationError
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Mouth, Quality

GOOD = Estimate(
    640,
    480,
    face=Box(200, 90, 220, 290),
    quality=Quality(0.9, 0.9, 1.0, 1.0, 1.0),
    head_pose=HeadPose(2.0, -4.0, 1.0),
    eyes=Eyes(0.3, 0.3, True, True),
    mouth=Mouth(0.05, 0.2, 0.0),
)
WORSE: list[dict[str, Any]] = [
    {"face": Box(200, 90, 80, 100)},
    {"quality": Quality(0.4, 0.9, 1.0, 1.0, 1.0)},
    {"quality": Quality(0.9, 0.3, 1.0, 1.0, 1.0)},
    {"quality": Quality(0.9, 0.9, 0.3, 1.0, 1.0)},
    {"head_pose": HeadPose(30.0, -4.0, 1.0)},
    {"head_pose": HeadPose(2.0, 25.0, 1.0)},
    {"head_pose": HeadPose(2.0, -4.0, -40.0)},
    {"eyes": Eyes(0.05, 0.3, False, True)},
    {"mouth": Mouth(0.8, 0.2, 0.0)},
    {"mouth": Mouth(0.05, 0.2, 0.5)},
]


def test_good_portrait_is_fit() -> None:
    """A frontal, sharp, well lit face passes the default threshold with a margin."""
    assert suitability(GOOD) > 0.85


@pytest.mark.parametrize("change", WORSE)
def test_every_defect_lowers_the_suitability(change: dict[str, Any]) -> None:
    """Faces that are small, blurred, badly lit, turned, closed-eyed or covered have less."""
    assert suitability(dataclasses.replace(GOOD, **change)) < 0.95 * suitability(GOOD)


def test_mouth_that_passes_its_own_check_is_fit() -> None:
    """Narrow lips, and lips on dark skin, measure as occluded by up to .4, which is acceptable."""
    narrow = dataclasses.replace(GOOD, mouth=Mouth(0.0, 0.0, 0.4))
    assert suitability(narrow) >= 0.8
    assert suitability(narrow) == suitability(dataclasses.replace(GOOD, mouth=Mouth(0.0, 0.0, 0.0)))


def test_extremes_stay_within_bounds() -> None:
    """The worst suitability is 0."""
    worst = dataclasses.replace(
        GOOD, head_pose=HeadPose(90, 90, 180), mouth=Mouth(1, 1, 1), quality=Quality(0, 0, 0, 0, 0)
    )
    assert suitability(worst) == 0


@pytest.mark.parametrize("measure", ["face", "quality", "head_pose", "eyes", "mouth"])
def test_missing_measurement_is_an_error(measure: str) -> None:
    """The suitability is not guessed."""
    with pytest.raises(EstimationError):
        suitability(dataclasses.replace(GOOD, **{measure: None}))
