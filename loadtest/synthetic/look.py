"""The look of a synthetic person at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """Pose, expression and image properties of a synthetic person.

    Attributes:
        yaw: degrees towards the person's own left, relative to the portrait; realistic to 30.
        pitch: degrees chin up, relative to the portrait; realistic to 25.
        roll: degrees towards the person's own left shoulder, relative to the portrait.
        left_eye_closed: closure of the person's own left eye, from 0 as in the portrait to 1.
        right_eye_closed: closure of the person's own right eye, 0 to 1.
        mouth_open: from 0 as in the portrait to 1 wide open.
        distance: distance from the camera relative to the neutral look; 2 halves the face.
        blur: standard deviation of an added Gaussian blur in pixels.
        brightness: factor on all pixel values.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    left_eye_closed: float = 0.0
    right_eye_closed: float = 0.0
    mouth_open: float = 0.0
    distance: float = 1.0
    blur: float = 0.0
    brightness: float = 1.0
