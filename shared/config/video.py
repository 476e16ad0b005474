"""The configuration of the video worker: ``config/lunapassvideo.config.toml``."""

from typing import Annotated, Literal

from pydantic import Field

from shared.config.base import AtLeastOne, Count, Flag, Positive, Section
from shared.config.retention import RetentionSection
from shared.config.service import Megapixels

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


class RedisSection(Section):
    """Redis, which holds sessions and jobs."""

    connectionString: str = "redis://127.0.0.1:6379"
    """Address of Redis; also rediss://, unix:// and redis+sentinel://."""
    queueNames: Annotated[list[str], Field(min_length=1)] = ["default"]
    """Queues to take jobs from, in this order: ``args.queueName`` of VideoRedis names them."""


class VideoSection(Section):
    """Format of the videos."""

    directory: str = "./VIDEOS"
    """Folder of the videos and their side files."""
    codec: Literal["H265", "H264", "VP9"] = "H265"
    """Codec of the videos; each is an MP4 file."""
    preset: Preset = "veryfast"
    """Effort of the encoder; slower presets give smaller files."""
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    """Constant quality, lower is better; if unset, 28 for H265, 23 for H264, 32 for VP9."""
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads of one encoder; the same number gives the same file on every machine."""
    fps: Annotated[float, Field(ge=0, le=120)] = 0.0
    """Constant frame rate; 0 shows each frame at its own time."""
    longestPause: Positive = 60.0
    """Maximum gap between two frames in seconds; longer ones are shortened to it."""
    framesLimit: Count = 0
    """Number of frames shown, the last ones of the session; 0 shows all."""
    framePixels: Annotated[int, Field(ge=4096, le=64 * Megapixels)] = 8_294_400
    """Maximum number of pixels of a frame; larger frames are left out."""
    overlay: Flag = False
    """1 draws the face box, codes and hints into each frame, for reviewers."""


class WorkerSection(Section):
    """How jobs are processed."""

    task: str = "lunapassvideo.task.py"
    """Python file with the task, relative to this file; ``args.workerTask`` names the function."""
    leaseSeconds: Annotated[int, Field(ge=3, le=3600)] = 30
    """Seconds without a heartbeat of its worker after which a job goes to another one."""
    jobTimeout: AtLeastOne = 3600
    """Maximum seconds for one job, including the task."""
    retryPauses: list[Count] = [0, 30, 300]
    """Seconds before each retry of a failed job; an empty list means no retry."""
    logLevel: Literal[0, 1, 2] = 1
    """0 logs errors, 1 also information, 2 also debug messages."""


class VideoConfig(Section):
    """The whole configuration file."""

    REDIS: RedisSection = RedisSection()
    VIDEO: VideoSection = VideoSection()
    RETENTION: RetentionSection = RetentionSection()
    WORKER: WorkerSection = WorkerSection()
