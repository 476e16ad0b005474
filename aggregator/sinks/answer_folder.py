"""Answers on disk until they are delivered; the folder outlives its process."""

from __future__ import annotations

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
    """An answer that an earlier process left.

    Attributes:
        session: id of its session.
        size: its bytes.
        accepted: its session succeeded.
    """

    session: str
    size: int
    accepted: bool


class AnswerFolder:
    """Answers as files: ``SESSION.json`` waits; ``SESSION.done`` (empty) is delivered or given up.

    Each process claims a subfolder of its own; the next process takes over what a dead one left.

    Args:
        folder: where the subfolders are.

    Raises:
        ResourceError: the folder cannot be made or written, or too many processes share it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = claim(folder)

    def stored(self) -> list[StoredAnswer]:
        """List the answers that wait, oldest first."""
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [StoredAnswer(file.stem, file.stat().st_size, _is_accepted(file)) for file in files]

    def knows(self, session: str) -> bool:
        """Tell whether a session's answer waits or was delivered not long ago."""
        file = self._file(session)
        return file.exists() or file.with_suffix(".done").exists()

    def add(self, session: str, answer: bytes) -> None:
        """Write an answer to the disk, whole or not at all.

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
            log.error("callback done and kept: %s", error.strerror, extra={"fields": fields})

    def remove_markers(self, before: float) -> None:
        """Remove markers that were written before ``before``, in seconds of the epoch."""
        for marker in self._folder.glob("*.done"):
            with contextlib.suppress(OSError):
                if marker.stat().st_mtime < before:
                    marker.unlink()

    def close(self) -> None:
        """Leave the folder to another process."""
        os.close(self._lock)

    def _file(self, session: str) -> Path:
        return self._folder / f"{session}.json"


def _is_accepted(file: Path) -> bool:
    """Tell whether an answer is that of an accepted session; a damaged one is not."""
    try:
        return json.loads(file.read_bytes())["isOk"] is True
    except (OSError, ValueError, LookupError, TypeError):
        return False
