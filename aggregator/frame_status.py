"""The JSON of a frame's status, compatible with clients of LUNA PASS 1.x."""

from typing import Any

from shared.frame.checks import Rules, margins
from shared.frame.estimation import Estimate

Details = dict[str, Any]


def frame_status(
    estimate: Estimate, errors: tuple[int, ...], rules: Rules, *, reveal: bool
) -> dict[str, Any]:
    """Build ``{isOk, errors, details}`` for one frame, with the codes after the plugins.

    Without ``reveal`` the only details are the face's coordinates, as with ``env=production``.
    """
    details = full_details(estimate, rules) if reveal else position(estimate)
    return {"isOk": not errors, "errors": list(errors), "details": details}


def position(estimate: Estimate) -> Details:
    """Return the rectangles of face and frame and the margins, in pixels."""
    face = estimate.face
    if face is None:
        return {}
    return {
        "faceFramePosition": {
            "faceRect": {"x": face.x, "y": face.y, "width": face.width, "height": face.height},
            "frameRect": {"x": 0, "y": 0, "width": estimate.width, "height": estimate.height},
            "margins": list(margins(estimate)),
        }
    }


def full_details(estimate: Estimate, rules: Rules) -> Details:
    """Return all measurements; keys of stages that were not reached are absent."""
    details = position(estimate)
    if estimate.quality is not None:
        details["quality"] = _quality(estimate, rules)
    if estimate.head_pose is not None:
        pose = estimate.head_pose
        details["headPose"] = {"yaw": pose.yaw, "pitch": pose.pitch, "roll": pose.roll}
    if estimate.eyes is not None:
        details["eyes"] = {"left": estimate.eyes.left, "right": estimate.eyes.right}
    if estimate.mouth is not None:
        mouth = estimate.mouth
        details["mouth"] = {
            "opened": mouth.opened,
            "smile": mouth.smile,
            "occluded": mouth.occluded,
        }
    if estimate.glasses is not None:
        details["eyeglasses"] = estimate.glasses
    if estimate.ags is not None:
        details["ags"] = estimate.ags
    if estimate.liveness is not None:
        details["liveness"] = {
            "score": estimate.liveness.score,
            "qualityScore": estimate.liveness.quality_score,
        }
    return details


def _quality(estimate: Estimate, rules: Rules) -> Details:
    measured, minimum = estimate.quality, rules.thresholds
    assert measured is not None
    return {
        "blur": measured.blur,
        "isBlurred": measured.blur < minimum.blur,
        "light": measured.light,
        "isHighlighted": measured.light < minimum.light,
        "darkness": measured.darkness,
        "isDark": measured.darkness < minimum.dark,
        "illumination": measured.illumination,
        "isIlluminated": measured.illumination >= minimum.illumination,
        "specularity": measured.specularity,
        "isSpecular": measured.specularity < minimum.specularity,
    }
