"""Why a session's video is not made.

LunaPassError
 └─ VideoError
     ├─ HopelessError      no further try will do better
     │   ├─ RefusedError       the job asks for what this worker does not do
     │   └─ NoFramesError      there is nothing to make a video of
     ├─ BusyError          another process writes the same file
     └─ FramesLostError    frames went away while they were read

Messages are kept with the failed job and read by operators.
"""

from __future__ import annotations

from shared.errors import LunaPassError


class VideoError(LunaPassError):
    """A session's video cannot be made now."""

    code = "video"


class HopelessError(VideoError):
    """A session's video cannot be made, however often it is tried."""

    code = "video.hopeless"


class RefusedError(HopelessError):
    """A job asks for a function, a task or a session that is not to be had here."""

    code = "video.refused"


class NoFramesError(HopelessError):
    """A session has no frame, or none that can be decoded."""

    code = "video.no-frames"


class BusyError(VideoError):
    """Another process is writing this very file."""

    code = "video.busy"


class FramesLostError(VideoError):
    """Redis has other frames than a moment ago."""

    code = "video.frames-lost"
