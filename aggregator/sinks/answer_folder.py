"""Answers on disk until they are delivered; they survive a restart."""

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import NamedTuple

from aggregator.sinks.spool import claim
from shared.process.files import write_atomically

log = logging.getLogger(__name__)


class StoredAnswer(NamedTuple):
    """An answer, of ``size`` bytes, that an earlier process left."""

    session: str
    size: int
    accepted: bool


class AnswerFolder:
    """Answers as files: ``SESSION.json`` waits; ``SESSION.done`` (empty) is delivered or given up.

    Each process claims a subfolder of its own; the next process takes over the files of a dead one.

    Raises:
        ResourceError: the folder cannot be created or written, or too many processes share it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = claim(folder)

    def stored(self) -> list[StoredAnswer]:
        """List the answers that wait, oldest first."""
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [StoredAnswer(file.stem, file.stat().st_size, _is_accepted(file)) for file in files]

    def knows(self, session: str) -> bool:
        """Return whether a session's answer waits or was delivered recently."""
        file = self._file(session)
        return file.exists() or file.with_suffix(".done").exists()

    def add(self, session: str, answer: bytes) -> None:
        """Write an answer to the disk atomically.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(self._file(session), answer, mode=0o600)

    def read(self, session: str) -> bytes:
        """Read an answer.

        Raises:
            OSError: it cannot be read.
        """
        return self._file(session).read_bytes()

    def finish(self, session: str) -> None:
        """Replace an answer by its marker, so that a replay does not deliver it again."""
        file = self._file(session)
        marker = file.with_suffix(".done")
        try:
            file.rename(marker)
            os.truncate(marker, 0)
        except OSError as error:
            fields = {"session": session}
            log.error(
                "callback is done, but its file cannot be removed: %s",
                error.strerror,
                extra={"fields": fields},
            )

    def remove_markers(self, before: float) -> None:
        """Remove markers older than ``before``, a Unix time in seconds."""
        for marker in self._folder.glob("*.done"):
            with contextlib.suppress(OSError):
                if marker.stat().st_mtime < before:
                    marker.unlink()

    def close(self) -> None:
        """Release the folder for another process."""
        os.close(self._lock)

    def _file(self, session: str) -> Path:
        return self._folder / f"{session}.json"


def _is_accepted(file: Path) -> bool:
    """Return whether an answer is that of an accepted session; False for a damaged file."""
    try:
        return json.loads(file.read_bytes())["isOk"] is True
    except (OSError, ValueError, LookupError, TypeError):
        return False
