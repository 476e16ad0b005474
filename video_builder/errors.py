"""Errors of building a session's video.

LunaPassError
 └─ VideoError
     ├─ HopelessError      a retry is useless
     │   ├─ RefusedError       the job names something that this worker does not run
     │   └─ NoFramesError      there is no frame to encode
     ├─ BusyError          another process writes the same file
     └─ FramesLostError    frames disappeared while they were read

RQ stores the messages with the failed job, for operators.
"""

from shared.errors import LunaPassError


class VideoError(LunaPassError):
    """A session's video could not be made."""


class HopelessError(VideoError):
    """A session's video cannot be made; a retry is useless."""


class RefusedError(HopelessError):
    """A job names a function, a task or a session that does not exist here."""


class NoFramesError(HopelessError):
    """A session has no frame, or none that can be decoded."""


class BusyError(VideoError):
    """Another process is writing the same file."""


class FramesLostError(VideoError):
    """Frames in Redis disappeared between the two readings."""
