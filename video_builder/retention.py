"""Removes the videos whose time is over from the worker's folder."""

import logging
from math import inf
from pathlib import Path

from shared.config.retention import SessionEnding
from shared.config.video import VideoConfig
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.session_log import FOLDER
from video_builder.output import sweep
from video_builder.summary import read_ending

log = logging.getLogger(__name__)

PRUNE_SECONDS = 60.0
"""Pause between two removals of old videos."""
SUFFIXES = (".mp4", ".json")


class StoredVideos:
    """The videos in the worker's folder. Copies that a task makes elsewhere are the task's."""

    def __init__(self, config: VideoConfig, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._folder = Path(config.VIDEO.directory)
        self._retention = config.RETENTION
        self._pruned_at = -inf
        self._endings: dict[str, SessionEnding] = {}
        self._outage = Outage(log, "old videos are not removed", "old videos are removed again")

    def maintain(self) -> None:
        """Remove old videos and unfinished files, once a minute; a failure is logged.

        A builder that is killed, as for its use of memory, leaves an unfinished file.
        """
        now = self._clock.monotonic()
        if now - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = now
        sweep(self._folder)
        if self._retention.min_age == inf:
            return
        try:
            self._prune(self._clock.wall())
        except OSError as error:
            self._outage.failed(error)
        else:
            self._outage.worked()

    def _prune(self, now: float) -> None:
        """Remove files by the time since they were made; others may remove them, too.

        Raises:
            OSError: the folder cannot be read, or some files cannot be read or removed.
        """
        # A side file is read once, not every minute: there may be 100,000 of them.
        known, self._endings = self._endings, {}
        faults: list[str] = []
        # In this order a video goes before its side file, which says how the session ended.
        for file in sorted(self._folder.iterdir(), reverse=True):
            if file.suffix not in SUFFIXES or not FOLDER.fullmatch(file.stem):
                continue
            try:
                self._prune_file(file, now, known)
            except OSError as error:  # it must not keep the others
                faults.append(f"{file.name}: {error.strerror}")
        if faults:
            raise OSError(f"{len(faults)} files, such as {faults[0]}")

    def _prune_file(self, file: Path, now: float, known: dict[str, SessionEnding]) -> None:
        try:
            age = now - file.stat().st_mtime
        except FileNotFoundError:
            return
        if age <= self._retention.min_age:
            return
        if file.stem not in known:
            known[file.stem] = read_ending(file.with_suffix(".json"))
        ending = self._endings[file.stem] = known[file.stem]
        if age > self._retention.max_age(ending):
            file.unlink(missing_ok=True)
