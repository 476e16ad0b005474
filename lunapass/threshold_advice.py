"""Finds thresholds that were loosened without effect, because the frame then fails AGS."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from inference_pool.onnx.ags import suitability
from shared.config.findings import Finding, warning
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import Config
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Mouth, Quality

IDEAL = Estimate(
    width=640,
    height=640,
    face=Box(100, 100, 400, 400),
    quality=Quality(1.0, 1.0, 1.0, 1.0, 1.0),
    head_pose=HeadPose(0.0, 0.0, 0.0),
    eyes=Eyes(0.3, 0.3, True, True),
    mouth=Mouth(0.0, 0.0, 0.0),
)
AT_THRESHOLD: dict[str, Callable[[float], Estimate]] = {
    "blur": lambda value: replace(IDEAL, quality=Quality(value, 1.0, 1.0, 1.0, 1.0)),
    "light": lambda value: replace(IDEAL, quality=Quality(1.0, value, 1.0, 1.0, 1.0)),
    "dark": lambda value: replace(IDEAL, quality=Quality(1.0, 1.0, value, 1.0, 1.0)),
    "faceWidth": lambda value: replace(IDEAL, face=Box(100, 100, int(value), 400)),
    "faceHeight": lambda value: replace(IDEAL, face=Box(100, 100, 400, int(value))),
    "yaw": lambda value: replace(IDEAL, head_pose=HeadPose(value, 0.0, 0.0)),
    "pitch": lambda value: replace(IDEAL, head_pose=HeadPose(0.0, value, 0.0)),
    "roll": lambda value: replace(IDEAL, head_pose=HeadPose(0.0, 0.0, value)),
    "mouth": lambda value: replace(IDEAL, mouth=Mouth(value, 0.0, 0.0)),
}
"""An otherwise ideal frame whose measure is at the threshold, for each that AGS depends on."""


def meeting_ags(config: Config) -> Iterator[Finding]:
    """Yield thresholds that were loosened further than ``ags`` allows.

    The backend ``lunasdk`` and your own ones estimate AGS themselves, so nothing is known of them.
    """
    if config.WORKERS.backend not in ("onnx", "oip"):
        return
    thresholds, defaults = config.LIVENESS.THRESHOLDS, ThresholdsSection()
    for name, frame_at in AT_THRESHOLD.items():
        value = getattr(thresholds, name)
        reached = suitability(frame_at(value))
        if reached < min(thresholds.ags, suitability(frame_at(getattr(defaults, name)))):
            yield warning(
                f"[LIVENESS.THRESHOLDS] {name}",
                f"is {value:g}, but at that value an otherwise ideal frame has an AGS of "
                f"{reached:.2f} and fails ags {thresholds.ags:g} (code 30); lower ags, too",
            )
