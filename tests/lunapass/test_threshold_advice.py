"""Related thresholds: a frame that passes a lowered threshold may still fail AGS."""

from __future__ import annotations

from typing import Any

import pytest

from lunapass.threshold_advice import AT_THRESHOLD, IDEAL, meeting_ags
from shared.config.service import Config
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Stage


def advice(backend: str = "onnx", **thresholds: Any) -> list[str]:
    values = {"LIVENESS": {"THRESHOLDS": thresholds}, "WORKERS": {"backend": backend}}
    return [str(finding) for finding in meeting_ags(Config.model_validate(values))]


@pytest.mark.parametrize(
    ("key", "loosened"),
    [("yaw", 30.0), ("pitch", 30.0), ("roll", 45.0), ("mouth", 0.9), ("blur", 0.4), ("light", 0.3),
     ("dark", 0.3), ("faceWidth", 80), ("faceHeight", 80)],
)  # fmt: skip
def test_a_threshold_lowered_alone_is_named(key: str, loosened: float) -> None:
    """With ``ags`` lowered as the warning says, the warning disappears."""
    (line,) = advice(**{key: loosened})
    assert line.startswith(f"[LIVENESS.THRESHOLDS] {key} is {loosened:g}, but at that value")
    reached = float(line.split("an AGS of ")[1].split()[0])
    assert reached < 0.8
    assert advice(**{key: loosened}, ags=reached - 0.01) == []


def test_defaults_and_stricter_values_are_not_named() -> None:
    """Neither is a stricter ``ags`` alone, nor an AGS that another backend estimates."""
    assert advice() == []
    assert advice(yaw=10.0, mouth=0.1, blur=0.9) == []
    assert advice(ags=0.95) == []
    assert advice("lunasdk", yaw=40.0) == []


@pytest.mark.parametrize("key", AT_THRESHOLD)
def test_a_frame_at_its_threshold_passes_all_checks_but_ags(key: str) -> None:
    """The frame of the warning is the worst one that the threshold accepts."""
    rules = Rules()
    frame = AT_THRESHOLD[key](getattr(rules.thresholds, key))
    assert frame != IDEAL
    for stage in (Stage.QUALITY, Stage.POSITION, Stage.HEAD_POSE, Stage.MOUTH):
        assert judge(stage, frame, rules) == ()
