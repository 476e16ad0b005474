"""The configuration of the video worker: ``config/lunapassvideo.config.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.config.base import AtLeastOne, Count, Flag, Positive, Section
from shared.config.service import Megapixels

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


class RedisSection(Section):
    """Where sessions and jobs are."""

    connectionString: str = "redis://127.0.0.1:6379"
    """Address of Redis; also rediss://, unix:// and redis+sentinel://."""
    queueNames: Annotated[list[str], Field(min_length=1)] = ["default"]
    """Queues to work on, in this order; those of ``args.queueName`` of VideoRedis."""


class VideoSection(Section):
    """What the videos are like."""

    directory: str = "./VIDEOS"
    """Folder of the videos and their side files."""
    codec: Literal["H265", "H264", "VP9"] = "H265"
    """How videos are encoded; each is an MP4 file."""
    preset: Preset = "veryfast"
    """Encoder's effort: slower gives smaller files."""
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    """Constant quality, lower is better; none takes 28 for H265, 23 for H264, 32 for VP9."""
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads of one encoder. The same number gives the same file on every machine."""
    fps: Annotated[float, Field(ge=0, le=120)] = 0.0
    """Frames a second, evenly; 0 shows each frame at its own time."""
    longestPause: Positive = 60.0
    """Seconds to which a longer gap between two frames is cut."""
    framesLimit: Count = 0
    """0 takes all frames of a session, N the last N."""
    framePixels: Annotated[int, Field(ge=4096, le=64 * Megapixels)] = 8_294_400
    """Pixels of a frame, at most; a larger one is left out."""
    overlay: Flag = False
    """1 draws face box, codes and hints of each frame, for reviewers."""


class WorkerSection(Section):
    """How jobs are worked on."""

    task: str = "lunapassvideo.task.py"
    """Python file, beside this file or elsewhere; ``args.workerTask`` names a function in it."""
    leaseSeconds: Annotated[int, Field(ge=3, le=3600)] = 30
    """Seconds without a sign of life after which a job goes to another worker."""
    jobTimeout: AtLeastOne = 3600
    """Seconds for one job, the task included."""
    retryPauses: list[Count] = [0, 30, 300]
    """Seconds before each further try of a job that failed; none tries once only."""
    logLevel: Literal[0, 1, 2] = 1
    """0 logs errors, 1 adds information, 2 adds debugging."""


class VideoConfig(Section):
    """The whole configuration file."""

    REDIS: RedisSection = RedisSection()
    """Where sessions and jobs are."""
    VIDEO: VideoSection = VideoSection()
    """What the videos are like."""
    WORKER: WorkerSection = WorkerSection()
    """How jobs are worked on."""
