"""A copy of the log in a file, to which all processes of the service append."""

import errno
import logging
import os
from pathlib import Path

from shared.errors import os_errors
from shared.process.outage import Outage

log = logging.getLogger(__name__)


class LogFile(logging.Handler):
    """Appends each line with one write, so that the lines of several processes do not mix.

    A file that was renamed or removed, as by logrotate, is created again. A full disk costs lines,
    never the process. A relative path is below the working directory.

    Raises:
        ResourceError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._outage = Outage(
            log, f"cannot write to the log file {path}", f"the log file {path} can be written again"
        )
        advice = "name a file that the service's user may write, or leave it empty"
        with os_errors(f"[LUNA_PASS] logFile: {path}", advice):
            self._descriptor = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; the first of several failures is logged to standard error."""
        line = f"{self.format(record)}\n".encode()
        try:
            self._follow_rotation()
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._outage.failed(error)
        else:
            self._outage.worked()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
        super().close()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _follow_rotation(self) -> None:
        """Open the file again if the path no longer leads to the open one."""
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(self._path)
            moved = (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            moved = True
        if moved:
            old, self._descriptor = self._descriptor, self._open()
            os.close(old)
