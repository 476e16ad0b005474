"""Reads sessions from folders of frames, videos and FileLogger folders, with their frame times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.samples import ATTACK, PICTURES, Sample, frame_order, read
from evaluation.sessions import is_session, logged_images
from shared.errors import FrameError, ResourceError
from shared.frame.estimation import Image
from shared.session_log import read_session


def read_folders(source: Path, videos: frozenset[str], group_column: str = "") -> list[Sample]:
    """List the sessions of a labelled set.

    A session is a folder that holds images, a video, or a folder of FileLogger. Below ``live/`` and
    ``attack/SPECIES/`` the folder above it names the subject; without one the session is a subject
    of its own. A CSV names folders or videos in its column ``path``, and may have a column that
    names groups of people. ``videos`` are extensions in lower case.

    Raises:
        ResourceError: there is no such set, or it has another layout.
    """
    found: dict[Path, Sample] = {}
    for sample in read(source, PICTURES | videos, group_column):
        is_image = sample.path.is_file() and sample.path.suffix.lower() in PICTURES
        session = _session_of(sample, source) if is_image else sample
        found.setdefault(session.path, session)
    return list(found.values())


def _session_of(image: Sample, source: Path) -> Sample:
    """Return the session to which an image belongs."""
    folder = image.path.parent
    parts = folder.relative_to(source).parts if source.is_dir() else ()
    own = parts[2 if parts and parts[0] == ATTACK else 1 :]
    if not own:
        raise ResourceError(
            f"{image.path}: is in no folder of its own; put the frames of each session into one"
        )
    name = str(folder.relative_to(source))
    return replace(image, path=folder, name=name, subject=own[0] if len(own) > 1 else name)


@dataclass(frozen=True, slots=True)
class FolderReader:
    """Reads the frames of a session, and when they were taken.

    Attributes:
        frames: decodes an image or a video; degrees replace the configured rotation of an image.
        rate: reads the frames per second of a video.
        fps: frames per second of folders of images, which do not say it.
        every: take every n-th frame.
    """

    frames: Callable[..., Iterator[Image]]
    rate: Callable[[Path], float]
    fps: float
    every: int = 1

    def images(self, path: Path) -> Iterator[Image]:
        """Yield all frames of a session in order.

        Raises:
            FrameError: a frame is refused.
        """
        if is_session(path):
            yield from logged_images(path, self.frames)
        elif path.is_dir():
            found = [file for file in path.iterdir() if file.suffix.lower() in PICTURES]
            for file in sorted(found, key=frame_order):
                yield from self.frames(file)
        else:
            yield from self.frames(path)

    def times(self, path: Path, count: int) -> list[float]:
        """Return the seconds at which the first ``count`` taken frames came.

        Raises:
            FrameError: the log of a session cannot be read.
        """
        if is_session(path):
            try:
                logged = [one.at for one in read_session(path).frames if one.file is not None]
            except ValueError as error:
                raise FrameError(f"the session's log cannot be read: {error}") from error
            return logged[:: self.every][:count]
        fps = self.fps if path.is_dir() else self.rate(path)
        return [number * self.every / fps for number in range(count)]
