"""Reads FileLogger's folders: sessions with their logged estimates, and their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.samples import ATTACK, LIVE, UNNAMED
from shared.errors import FrameError, ResourceError
from shared.frame.estimation import Image, Profile
from shared.session_log import FILE, LoggedFrame, SessionLog, read_session

UNLABELLED = "unlabelled"
TurnedFrames = Callable[[Path, int], Iterator[Image]]
"""Decodes an image and rotates it clockwise by degrees, in addition to the EXIF orientation."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A logged session and its label: ``live``, ``attack`` or ``unlabelled``."""

    log: SessionLog
    label: str = UNLABELLED
    species: str = ""

    @property
    def frames(self) -> list[LoggedFrame]:
        """Frames that got every check: those outside of an action."""
        return [one for one in self.log.frames if one.estimate.profile is Profile.PASSIVE]

    @property
    def accepted(self) -> bool:
        """Whether the session is known to have succeeded."""
        return self.log.verdict is not None and self.log.verdict.accepted


def is_session(path: Path) -> bool:
    """Return whether a path is a session's folder; it may have been renamed."""
    return (path / FILE).is_file()


def logged_images(folder: Path, frames: TurnedFrames) -> Iterator[Image]:
    """Yield the images of a session's folder in order, rotated as the service rotated them.

    Raises:
        FrameError: the log cannot be read, or an image is refused.
    """
    try:
        logged = read_session(folder).frames
    except ValueError as error:
        raise FrameError(f"the session's log cannot be read: {error}") from error
    for frame in logged:
        if frame.file is not None:
            yield from frames(folder / frame.file, frame.estimate.rotation)


def read_logs(source: Path) -> tuple[list[Logged], list[str]]:
    """Read the sessions below a folder; ``live/`` and ``attack/SPECIES/`` label those inside.

    Returns:
        The sessions sorted by name, and an error message for each unreadable one.

    Raises:
        ResourceError: there is no readable session.
    """
    found, errors = [], []
    for folder in sorted(log.parent for log in source.rglob(FILE)):
        try:
            found.append(Logged(read_session(folder), *_label(folder.relative_to(source))))
        except ValueError as error:
            errors.append(str(error))
    if not found:
        raise ResourceError(
            f"{source}: found no session of FileLogger" + (f" ({errors[0]})" if errors else "")
        )
    return found, errors


def _label(inside: Path) -> tuple[str, str]:
    """Return the label and species by the first folder that is ``live`` or ``attack``."""
    parents = inside.parts[:-1]
    label = next((part for part in parents if part in (LIVE, ATTACK)), UNLABELLED)
    if label != ATTACK:
        return label, ""
    below = parents[parents.index(ATTACK) + 1 :]
    return ATTACK, below[0] if below else UNNAMED
