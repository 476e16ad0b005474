"""The copy of the log in a file: whole lines of several processes, rotation, and failures."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ResourceError
from shared.process.log_file import LogFile
from tests.support.log import logged


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def log(file: Path) -> Iterator[logging.Logger]:
    """A logger that writes to the file."""
    logger, handler = logging.getLogger("log_file_test"), LogFile(file)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


PROCESS = """
import logging, sys
from shared.process.process import start_logging
start_logging(sys.argv[1], 1, sys.argv[2])
for number in range(200):
    logging.getLogger("x").info("%d %s", number, "y" * 4000)
"""


def test_several_processes_write_whole_lines(file: Path) -> None:
    """No line is lost or mixed with another, and standard error has the same lines."""
    roles = ("gateway", "worker")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, role, str(file)], stderr=subprocess.PIPE, text=True
        )
        for role in roles
    ]
    written = [process.communicate()[1].splitlines() for process in processes]
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted(written[0] + written[1])
    assert [sum(json.loads(line)["role"] == role for line in lines) for role in roles] == [200, 200]


def test_a_rotated_file_is_created_again(file: Path, log: logging.Logger) -> None:
    """It was renamed or removed, as by logrotate."""
    log.warning("one")
    file.rename(file.with_suffix(".1"))
    log.warning("two")
    file.unlink()
    log.warning("three")
    assert (file.with_suffix(".1").read_text(), file.read_text()) == ("one\n", "three\n")


def test_a_full_disk_is_logged_once(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets no exception, and the line after the outage is written."""
    with logged("shared.process.log_file") as lines:
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda descriptor, data: len(data) - 1)
            log.warning("lost")
            log.warning("lost, too")
        log.warning("written")
    messages = [line["message"] for line in lines]
    assert len(messages) == 2
    assert "No space left on device" in messages[0]
    assert "can be written again" in messages[1]


def test_logging_a_failure_to_the_same_file_ends(file: Path) -> None:
    """The line about the outage goes through the handler that failed."""
    root = logging.getLogger("shared.process")
    handler = LogFile(file)
    root.addHandler(handler)
    try:
        file.unlink()
        file.mkdir()
        root.error("lost")
        file.rmdir()
        root.error("written")
    finally:
        root.removeHandler(handler)
        handler.close()
    assert "written" in file.read_text()


def test_a_file_that_cannot_be_opened_is_an_error_at_start_up(tmp_path: Path) -> None:
    """One line has the key, the path and the reason."""
    with pytest.raises(ResourceError, match=r"\[LUNA_PASS\] logFile: .*No such file"):
        LogFile(tmp_path / "absent" / "service.log")
