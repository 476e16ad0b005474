"""Section ``MIDDLEWARES.WS.LifeSigns``: signs of a living person over a few seconds.

docs/plugin-measurements.md has the source of each default.
"""

from typing import Annotated

from pydantic import Field

from shared.config.base import Flag, Section, Unit


class LifeSignsArgs(Section):
    """Arguments of LifeSigns."""

    framesCount: Annotated[int, Field(ge=4, le=100)] = 8
    """Frames that must have reached the liveness check before a decision."""
    minSeconds: Annotated[float, Field(ge=1, le=30)] = 2.0
    """Seconds from the first of these frames to the earliest decision."""
    windowSeconds: Annotated[float, Field(ge=1, le=60)] = 4.0
    """Seconds after which a session that is still in doubt is asked for an action. Signs are
    measured over the frames of this time, and over at least ``framesCount`` frames."""
    acceptScore: Unit = 0.5
    """Liveness score of all these frames together from which no action is asked."""
    refuseScore: Unit = 0.03
    """Liveness score of all these frames together below which the session ends with code 32."""
    eyesDeviation: Annotated[float, Field(ge=0, le=1)] = 0.005
    """Standard deviation of the upper eyelids' place, in widths of the eye, from which no action is
    asked."""
    poseDeviation: Annotated[float, Field(ge=0, le=90)] = 0.2
    """Standard deviation of the head's angles in degrees from which no action is asked."""
    fixedCamera: Flag = False
    """1 where the camera never moves, as in a kiosk: the background must then stay still."""
    backgroundMotion: Annotated[float, Field(ge=0, le=255)] = 0.25
    """Motion of the background in grey levels up to which no action is asked, with
    ``fixedCamera``."""
