"""Files appear atomically, even if a process dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from video_builder import output
from video_builder.errors import BusyError


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """Until the block ends, only the unfinished file exists."""
    path = tmp_path / "a.mp4"
    with output.writing(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """The unfinished one is removed."""
    path = tmp_path / "a.mp4"
    path.write_text("older")
    with pytest.raises(IsADirectoryError), output.writing(path) as part:
        part.write_text(tmp_path.read_text())
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    """The second one gets an error, and the first one is not affected."""
    path = tmp_path / "a.mp4"
    with output.writing(path) as part:
        part.write_text("first")
        with pytest.raises(BusyError), output.writing(path):
            pass
    assert path.read_text() == "first"


def _die_writing(path: Path) -> None:
    with output.writing(path) as part:
        part.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_only_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    """Those of running ones stay."""
    dead = multiprocessing.get_context("spawn").Process(
        target=_die_writing, args=(tmp_path / "dead.mp4",)
    )
    dead.start()
    dead.join()
    assert output.part_of(tmp_path / "dead.mp4").exists()
    with output.writing(tmp_path / "alive.mp4") as part:
        part.write_text("alive")
        assert output.sweep(tmp_path) == 1
    assert os.listdir(tmp_path) == ["alive.mp4"]


def test_files_that_cannot_be_removed_stay(tmp_path: Path) -> None:
    """A worker starts in spite of them."""
    (tmp_path / ".others.mp4.part").mkdir()
    assert output.sweep(tmp_path) == 0


def test_a_retry_reuses_the_name_of_a_dead_process(tmp_path: Path) -> None:
    """Nothing is left of the first attempt."""
    path = tmp_path / "a.mp4"
    output.part_of(path).write_text("half of a much longer text")
    with output.writing(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["a.mp4"]
