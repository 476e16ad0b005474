"""Makes the video and the side file of one session.

Its frames are read twice: first the headers, to find the size of the video, then the frames, to
encode them. At most a chunk of frames is in memory.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.config.video import VideoSection
from shared.video_store import SessionMeta, StoredFrame
from video_builder import output
from video_builder.ahead import Ahead
from video_builder.encoder import Encoder, planes
from video_builder.errors import NoFramesError
from video_builder.reel import Extent, Reel, measure
from video_builder.summary import SummaryWriter, facts, tags
from video_builder.timeline import MILLISECONDS, with_durations

PREPARED = 2
"""Images decoded ahead of the encoder."""

Reader = Callable[[], Iterable[StoredFrame]]
"""Reads a session's frames from the start; may be called several times."""
Progress = Callable[[int, int], None]
"""Called with the number of encoded images and their total."""


@dataclass(frozen=True)
class Film:
    """A finished video.

    Attributes:
        side_file: the JSON file about its frames and the verdict.
        accepted: the session's verdict; None if there is none.
        frames: number of images in the video.
        skipped: number of frames that could not be decoded.
        sha256: digest of the video file, hexadecimal.
    """

    session: str
    video: Path
    side_file: Path
    accepted: bool | None
    frames: int
    skipped: int
    seconds: float
    sha256: str


def make(
    session: str,
    meta: SessionMeta | None,
    read: Reader,
    settings: VideoSection,
    progress: Progress = lambda done, total: None,
) -> Film:
    """Make a session's video and side file; each appears atomically, the video first.

    Raises:
        NoFramesError: there is no frame, or none that can be decoded.
        FramesLostError: the second reading finds fewer frames than the first.
        BusyError: another process is making the same video.
    """
    folder = Path(settings.directory)
    folder.mkdir(parents=True, exist_ok=True)
    video, side_file = folder / f"{session}.mp4", folder / f"{session}.json"
    extent = measure(read(), settings)
    if extent.total == 0:
        raise NoFramesError(
            f"session {session} has no frames in Redis: none were stored, or they have expired"
        )
    with output.writing(side_file) as side_part, side_part.open("w") as text:
        lines = SummaryWriter(text, facts(session, meta))
        reel = Reel(settings, extent, lines)
        with output.writing(video) as part:
            end = _encode(part, reel, read(), extent, settings, tags(session, meta), progress)
        film = Film(
            session,
            video,
            side_file,
            meta.accepted if meta else None,
            reel.taken,
            reel.skipped,
            end / MILLISECONDS,
            output.sha256(video),
        )
        lines.finish(_description(film, extent, settings))
    return film


def _encode(
    part: Path,
    reel: Reel,
    frames: Iterable[StoredFrame],
    extent: Extent,
    settings: VideoSection,
    about: Mapping[str, str],
    progress: Progress,
) -> int:
    """Encode the images; return the time at which the last one ends, milliseconds."""
    if extent.size is None:
        raise NoFramesError(f"none of the {extent.total} frames is an image")
    end = 0
    images = ((time, planes(image)) for time, image in reel.images(frames))
    with (
        Ahead(with_durations(images), PREPARED) as prepared,
        Encoder(part, extent.size, settings, about) as encoder,
    ):
        for time, duration, frame in prepared:
            encoder.add(frame, time, duration)
            end = time + duration
            progress(reel.taken + reel.skipped, extent.total - extent.left_out)
        if not reel.taken:
            raise NoFramesError(f"none of the {extent.total} frames can be decoded")
    return end


def _description(film: Film, extent: Extent, settings: VideoSection) -> dict[str, object]:
    width, height = extent.size or (0, 0)
    return {
        "file": film.video.name,
        "codec": settings.codec,
        "width": width,
        "height": height,
        "seconds": film.seconds,
        "frames": film.frames,
        "skipped": film.skipped,
        "leftOut": extent.left_out,
        "sha256": film.sha256,
    }
