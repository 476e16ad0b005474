"""Codes of failed checks and prompts, with a hint for each.

Clients of LUNA PASS 1.x rely on the numbers up to 68; 69 upwards are this project's own. 35, 36,
39, 41 to 49 and 52 to 59 are not used.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Why a frame or session is not (yet) accepted, or what the person should do."""

    hint: str
    """What to tell the person, in English. In a frame's codes, those that a person can act on come
    first."""

    def __new__(cls, number: int, hint: str) -> Code:
        """Create the code of a number."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.hint = hint
        return code

    FRAME_UNDECODABLE = 1, "The picture cannot be read"
    ESTIMATION_FAILED = 2, "The picture could not be judged"
    BLURRED = 3, "The picture is blurred, hold still"
    TOO_LIGHT = 4, "Less light, please"
    TOO_DARK = 5, "More light, please"
    UNEVEN_LIGHT = 6, "The light is uneven"
    GLARE = 7, "There is glare on the face"
    NO_FACE = 8, "Aim the camera at the face"
    SEVERAL_FACES = 9, "One face only, please"
    FRAME_TOO_NARROW = 10, "The picture is too narrow"
    FRAME_TOO_LOW = 11, "The picture is not high enough"
    FACE_TOO_NARROW = 12, "Come closer"
    FACE_TOO_LOW = 13, "Come closer"
    MARGIN_BOTTOM = 14, "Move the camera lower"
    MARGIN_LEFT = 15, "Move the camera left"
    MARGIN_TOP = 16, "Move the camera higher"
    MARGIN_RIGHT = 17, "Move the camera right"
    HEAD_POSE_FAILED = 18, "The head pose could not be judged"
    TURN_RIGHT = 19, "Turn your head right"
    TURN_LEFT = 20, "Turn your head left"
    TILTED_RIGHT = 21, "Your head is tilted right, straighten it"
    TILTED_LEFT = 22, "Your head is tilted left, straighten it"
    CHIN_UP = 23, "Raise your chin"
    CHIN_DOWN = 24, "Lower your chin"
    MOUTH_FAILED = 25, "The mouth could not be judged"
    MOUTH_OCCLUDED = 26, "Uncover your face and close your mouth"
    GLASSES_FAILED = 27, "The glasses could not be judged"
    GLASSES_NOT_ALLOWED = 28, "Take your glasses off"
    AGS_FAILED = 29, "The frame quality could not be judged"
    LOW_AGS = 30, "Low frame quality"
    LIVENESS_FAILED = 31, "Liveness could not be judged"
    LOW_LIVENESS = 32, "Go on"
    LOW_LIVENESS_QUALITY = 33, "Poor picture of the face"
    EXTERNAL_FAILED = 34, "An external check failed"
    AGGREGATING = 37, "Go on"
    FACE_TOO_CLOSE = 38, "Move away a little"
    SESSION_FAILED = 40, "The check has ended without success"
    EYES_FAILED = 50, "The eyes could not be judged"
    EYES_CLOSED = 51, "Open your eyes"
    ACTION_FAILED = 60, "The action was not done in time"
    OPEN_EYES = 61, "Open your eyes"
    CLOSE_EYES = 62, "Close your eyes"
    LOOK_STRAIGHT_YAW = 63, "Look straight"
    ASK_TURN_RIGHT = 64, "Turn your head right"
    ASK_TURN_LEFT = 65, "Turn your head left"
    LOOK_STRAIGHT_PITCH = 66, "Look straight"
    ASK_CHIN_UP = 67, "Raise your chin"
    ASK_CHIN_DOWN = 68, "Lower your chin"
    OTHER_PERSON = 69, "Another person is in front of the camera"
    VIRTUAL_CAMERA = 70, "This camera cannot be used"
    PLUGIN_FAILED = 71, "The check has ended because of a fault"
    REPEATED_FRAME = 72, "Hold on, waiting for a new picture"
    TOO_MANY_REFUSALS = 73, "The check has ended after too many pictures that did not pass"
    IMPOSSIBLE_REACTION = 74, "The check has ended without success"


PROMPTS = frozenset(range(Code.OPEN_EYES, Code.ASK_CHIN_DOWN + 1))
"""Codes that ask for an action instead of naming an error."""
HINTS: dict[int, str] = {code: code.hint for code in Code}


def hint(code: int) -> str:
    """Return the English hint for a code; ``Code N`` for an unknown one."""
    return HINTS.get(code, f"Code {code}")
