"""Codes of failed checks and prompts, with a hint for each.

Clients of LUNA PASS 1.x rely on the numbers up to 68; 69 upwards are this project's own. 35, 36 and
39 are not used.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Why a frame or session is not (yet) accepted, or what the person should do."""

    FRAME_UNDECODABLE = 1
    ESTIMATION_FAILED = 2
    BLURRED = 3
    TOO_LIGHT = 4
    TOO_DARK = 5
    UNEVEN_LIGHT = 6
    GLARE = 7
    NO_FACE = 8
    SEVERAL_FACES = 9
    FRAME_TOO_NARROW = 10
    FRAME_TOO_LOW = 11
    FACE_TOO_NARROW = 12
    FACE_TOO_LOW = 13
    MARGIN_BOTTOM = 14
    MARGIN_LEFT = 15
    MARGIN_TOP = 16
    MARGIN_RIGHT = 17
    HEAD_POSE_FAILED = 18
    TURN_RIGHT = 19
    TURN_LEFT = 20
    TILTED_RIGHT = 21
    TILTED_LEFT = 22
    CHIN_UP = 23
    CHIN_DOWN = 24
    MOUTH_FAILED = 25
    MOUTH_OCCLUDED = 26
    GLASSES_FAILED = 27
    GLASSES_NOT_ALLOWED = 28
    AGS_FAILED = 29
    LOW_AGS = 30
    LIVENESS_FAILED = 31
    LOW_LIVENESS = 32
    LOW_LIVENESS_QUALITY = 33
    EXTERNAL_FAILED = 34
    AGGREGATING = 37
    FACE_TOO_CLOSE = 38
    SESSION_FAILED = 40
    EYES_FAILED = 50
    EYES_CLOSED = 51
    ACTION_FAILED = 60
    OPEN_EYES = 61
    CLOSE_EYES = 62
    LOOK_STRAIGHT_YAW = 63
    ASK_TURN_RIGHT = 64
    ASK_TURN_LEFT = 65
    LOOK_STRAIGHT_PITCH = 66
    ASK_CHIN_UP = 67
    ASK_CHIN_DOWN = 68
    OTHER_PERSON = 69
    VIRTUAL_CAMERA = 70
    PLUGIN_FAILED = 71
    REPEATED_FRAME = 72
    TOO_MANY_REFUSALS = 73


PROMPTS = frozenset(range(Code.OPEN_EYES, Code.ASK_CHIN_DOWN + 1))
"""Codes that ask for an action instead of naming an error."""

HINTS: dict[int, str] = {
    Code.FRAME_UNDECODABLE: "The picture cannot be read",
    Code.ESTIMATION_FAILED: "The picture could not be judged",
    Code.BLURRED: "The picture is blurred, hold still",
    Code.TOO_LIGHT: "Less light, please",
    Code.TOO_DARK: "More light, please",
    Code.UNEVEN_LIGHT: "The light is uneven",
    Code.GLARE: "There is glare on the face",
    Code.NO_FACE: "Aim the camera at the face",
    Code.SEVERAL_FACES: "One face only, please",
    Code.FRAME_TOO_NARROW: "The picture is too narrow",
    Code.FRAME_TOO_LOW: "The picture is too low",
    Code.FACE_TOO_NARROW: "Come closer",
    Code.FACE_TOO_LOW: "Come closer",
    Code.MARGIN_BOTTOM: "Move the camera lower",
    Code.MARGIN_LEFT: "Move the camera left",
    Code.MARGIN_TOP: "Move the camera higher",
    Code.MARGIN_RIGHT: "Move the camera right",
    Code.HEAD_POSE_FAILED: "The head pose could not be judged",
    Code.TURN_RIGHT: "Turn your head right",
    Code.TURN_LEFT: "Turn your head left",
    Code.TILTED_RIGHT: "Your head is tilted right, straighten it",
    Code.TILTED_LEFT: "Your head is tilted left, straighten it",
    Code.CHIN_UP: "Raise your chin",
    Code.CHIN_DOWN: "Lower your chin",
    Code.MOUTH_FAILED: "The mouth could not be judged",
    Code.MOUTH_OCCLUDED: "Uncover your face and close your mouth",
    Code.GLASSES_FAILED: "The glasses could not be judged",
    Code.GLASSES_NOT_ALLOWED: "Take your glasses off",
    Code.AGS_FAILED: "The frame quality could not be judged",
    Code.LOW_AGS: "Low frame quality",
    Code.LIVENESS_FAILED: "Liveness could not be judged",
    Code.LOW_LIVENESS: "Go on",
    Code.LOW_LIVENESS_QUALITY: "Poor picture of the face",
    Code.EXTERNAL_FAILED: "An external check failed",
    Code.AGGREGATING: "Go on",
    Code.FACE_TOO_CLOSE: "Move away a little",
    Code.SESSION_FAILED: "The check has ended without success",
    Code.EYES_FAILED: "The eyes could not be judged",
    Code.EYES_CLOSED: "Open your eyes",
    Code.ACTION_FAILED: "The action was not done in time",
    Code.OPEN_EYES: "Open your eyes",
    Code.CLOSE_EYES: "Close your eyes",
    Code.LOOK_STRAIGHT_YAW: "Look straight",
    Code.ASK_TURN_RIGHT: "Turn your head right",
    Code.ASK_TURN_LEFT: "Turn your head left",
    Code.LOOK_STRAIGHT_PITCH: "Look straight",
    Code.ASK_CHIN_UP: "Raise your chin",
    Code.ASK_CHIN_DOWN: "Lower your chin",
    Code.OTHER_PERSON: "Another person is in front of the camera",
    Code.VIRTUAL_CAMERA: "This camera cannot be used",
    Code.PLUGIN_FAILED: "The check has ended because of a fault",
    Code.REPEATED_FRAME: "Hold on, waiting for a new picture",
    Code.TOO_MANY_REFUSALS: "The check has ended after too many pictures that did not pass",
}
"""English hint for each code. In a frame's codes, those that a person can act on come first."""


def hint(code: int) -> str:
    """Return the English hint for a code; ``Code N`` for an unknown one."""
    return HINTS.get(code, f"Code {code}")
