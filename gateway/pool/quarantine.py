"""Stores frames that two workers failed on, for the developers to examine."""

import logging
import os
from math import inf
from pathlib import Path

from shared.config.retention import SessionEnding
from shared.config.service import Config
from shared.errors import ResourceError
from shared.process.clock import SYSTEM, Clock
from shared.process.private import private_directory
from shared.process.process import about

log = logging.getLogger(__name__)

KEY = "WORKERS.quarantineDirectory"
PRUNE_SECONDS = 60.0
"""Pause between two removals of old frames."""


def quarantine_folder(config: Config) -> Path:
    """Return the folder of the frames, which may not exist."""
    named = config.WORKERS.quarantineDirectory
    return Path(named or Path(config.TRANSPORT.runtimeDirectory).absolute() / "quarantine")


class Quarantine:
    """A folder with the newest such frames, none older than ``[RETENTION]`` allows."""

    def __init__(self, config: Config, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._max_age = config.RETENTION.max_age(SessionEnding.UNKNOWN)
        self._pruned_at = -inf
        self._directory = quarantine_folder(config)
        self._max_frames = config.WORKERS.quarantineFrames

    def store(self, session: str, seq: int, data: bytes) -> None:
        """Write a frame with mode 0600, and remove the oldest ones over the limit.

        Errors of the disk are logged and have no other effect.
        """
        with about(session=session, seq=seq):
            self._store(f"{session}-{seq}", data)

    def _store(self, name: str, data: bytes) -> None:
        if self._max_frames == 0:
            log.error("frame failed on two workers; not stored (quarantineFrames = 0)")
            return
        try:
            path = private_directory(self._directory, KEY) / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            self._prune()
        except (OSError, ResourceError) as error:
            log.error("frame failed on two workers; not stored: %s", error)
        else:
            log.error("frame given up, stored in quarantine")

    def maintain(self) -> None:
        """Remove old frames, once a minute."""
        now = self._clock.monotonic()
        if self._max_age == inf or now - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = now
        try:
            self._remove_old()
        except FileNotFoundError:  # no frame was ever stored, or another cell removed one
            pass
        except OSError as error:
            log.error("old frames cannot be removed from quarantine: %s", error)

    def _remove_old(self) -> None:
        for path in self._directory.iterdir():
            if self._clock.wall() - path.stat().st_mtime > self._max_age:
                path.unlink(missing_ok=True)

    def _prune(self) -> None:
        by_age = sorted(self._directory.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in by_age[: -self._max_frames]:
            path.unlink(missing_ok=True)
