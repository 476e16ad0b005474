"""FileLogger on real file systems: complete, private, bounded, and off while the disk is full."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.sinks import file_logger
from aggregator.sinks.file_logger import FileLogger
from shared.config.plugins import FileLoggerArgs
from shared.errors import ResourceError
from shared.frame.best_shot import BestShot, ImageSource
from shared.session_log import BEST_SHOT, FILE, SessionLog, folders, read_session
from tests.support.events import ESTIMATE, JPEG, ended, info, judged
from tests.support.namespace import private_tmpfs
from tests.support.service import ROOT

DAY = 86_400.0


def sink(path: Path, *, age: float = 0.0, size: int = 0) -> FileLogger:
    return FileLogger(FileLoggerArgs(path=str(path), maxAgeDays=age, maxBytes=size))


def read(path: Path, number: int) -> SessionLog:
    return read_session(path / info(number).session)


def play(logger: FileLogger, number: int, frames: int = 3) -> None:
    for seq in range(1, frames + 1):
        logger.write(judged(number, seq))
    logger.write(ended(number, frames))


def test_a_session_is_one_folder(tmp_path: Path) -> None:
    """It has numbered images and a log of frames and verdict, but not the token."""
    logger = sink(tmp_path / "logs")
    logger.write(judged(1, 2))
    logger.write(judged(1, 5, b""))
    logger.write(judged(1, 6, None))
    logger.write(ended(1, 3))
    folder = tmp_path / "logs" / info(1).session
    assert sorted(os.listdir(folder)) == ["000002.jpg", FILE]
    assert (folder / "000002.jpg").read_bytes() == JPEG
    log = read(tmp_path / "logs", 1)
    assert (log.at, log.client) == (1000.0, {"camera": "FaceTime"})
    assert [(f.seq, f.file, f.errors) for f in log.frames] == [
        (2, "000002.jpg", (32,)),
        (5, None, (32,)),
        (6, None, (32,)),
    ]
    assert log.frames[0].estimate == ESTIMATE
    assert log.verdict is not None
    assert (log.verdict.accepted, log.verdict.at, log.verdict.data) == (
        True,
        2000.0,
        {"score": 0.5},
    )
    assert logger.dropped == 1
    assert b"a.b.c" not in (folder / FILE).read_bytes()


def test_the_received_bytes_are_stored(tmp_path: Path) -> None:
    """The exact bytes and their SHA-256, even if verdicts show a JPEG of the judged pixels."""
    logger, received = sink(tmp_path), b"\x89PNG" + bytes(range(200))
    best = BestShot(2, JPEG, ImageSource.of(received, "png"))
    logger.write(judged(1, 1))
    logger.write(judged(1, 2, received, best))
    logger.write(ended(1, 2, shot=best))
    folder = tmp_path / info(1).session
    assert sorted(os.listdir(folder)) == ["000001.jpg", "000002.png", BEST_SHOT, FILE]
    log = read(tmp_path, 1)
    for frame, sent in zip(log.frames, (JPEG, received), strict=True):
        assert frame.file is not None
        assert (folder / frame.file).read_bytes() == sent
        assert frame.sha256 == hashlib.sha256(sent).hexdigest()
    assert (folder / BEST_SHOT).read_bytes() == JPEG
    assert log.verdict is not None
    assert log.verdict.bestshot_source == best.source.claim()
    assert log.verdict.bestshot_source["sha256"] == log.frames[1].sha256
    assert logger.dropped == 0


def test_a_lost_image_has_no_digest(tmp_path: Path) -> None:
    """The client's bytes may be lost in a restart.

    The loss is counted, and noted in the frame's line.
    """
    logger = sink(tmp_path)
    logger.write(judged(1, 1, None, BestShot(1, JPEG, ImageSource.of(b"sent", "png"))))
    (frame,) = read(tmp_path, 1).frames
    assert (frame.file, frame.sha256, logger.dropped) == (None, None, 1)


def test_other_users_cannot_read_the_files(tmp_path: Path) -> None:
    """Folders have mode 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        play(sink(tmp_path / "logs"), 1)
    finally:
        os.umask(before)
    folder = tmp_path / "logs" / info(1).session
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs", folder)}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_repetition_by_another_aggregator_changes_nothing(tmp_path: Path) -> None:
    """It continues the log of an earlier process without duplicates or gaps."""
    first = sink(tmp_path)
    for seq in (1, 2):
        first.write(judged(1, seq))
    second = sink(tmp_path)
    play(second, 1)
    whole = (tmp_path / info(1).session / FILE).read_bytes()
    play(sink(tmp_path), 1)
    assert (tmp_path / info(1).session / FILE).read_bytes() == whole
    assert [frame.seq for frame in read(tmp_path, 1).frames] == [1, 2, 3]


@pytest.mark.parametrize("torn", [b"", b'{"event": "op', b'{"event": "frame", "se'])
def test_a_torn_log_is_repaired(tmp_path: Path, torn: bytes) -> None:
    """A partial line of a killed process is removed before the next line is written."""
    play(sink(tmp_path), 1, frames=1)
    file = tmp_path / info(1).session / FILE
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes((b"" if b"op" in torn or not torn else lines[0] + lines[1]) + torn)
    play(sink(tmp_path), 1, frames=2)
    assert [frame.seq for frame in read(tmp_path, 1).frames] == [1, 2]
    assert read(tmp_path, 1).verdict is not None


def test_a_folder_that_is_removed_meanwhile_is_created_again(tmp_path: Path) -> None:
    """An administrator who cleans up during a session does not turn the logger off."""
    logger = sink(tmp_path / "logs")
    for seq in (1, 2):
        logger.write(judged(1, seq))
        shutil.rmtree(tmp_path / "logs")
    play(logger, 1)
    assert not logger.disabled
    assert [frame.seq for frame in read(tmp_path / "logs", 1).frames] == [3]


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    """A user who can create links in the folder cannot have other files written."""
    target = tmp_path / "target"
    folder = tmp_path / "logs" / info(1).session
    folder.mkdir(parents=True)
    (folder / "000001.jpg").symlink_to(target)
    logger = sink(tmp_path / "logs")
    logger.write(judged(1, 1))
    assert logger.dropped == 1
    assert not target.exists()


FULL_DISK = """
import logging, os, sys
from pathlib import Path
from aggregator.sinks import file_logger
from tests.aggregator.sinks.test_file_logger import sink, play
from tests.support.events import ended, judged
logging.basicConfig(format="%(levelname)s %(message)s")
file_logger.RETRY_SECONDS = 0.0 if sys.argv[2] == "retry" else 60.0
path = Path(sys.argv[1])
logger = sink(path)
play(logger, 1)
ballast = path / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
for number in range(2, 6):
    play(logger, number)
print(logger.disabled, logger.dropped)
ballast.unlink()
play(logger, 6)
print(logger.disabled, sorted(os.listdir(path / ("%032x" % 6))) if not logger.disabled else [])
"""


@pytest.mark.parametrize("retry", ["retry", "later"])
def test_a_full_disk_turns_the_logger_off_with_one_line(tmp_path: Path, retry: str) -> None:
    """On a full file system it logs one error and counts later drops; then writing resumes."""
    done = subprocess.run(
        [
            *private_tmpfs(str(tmp_path), "256k"),
            *(sys.executable, "-c", FULL_DISK, str(tmp_path), retry),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "True 16"
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert "FILE LOGGER IS OFF: No space left on device" in errors[0]
    if retry == "retry":
        assert lines[1] == f"False {['000001.jpg', '000002.jpg', '000003.jpg', FILE]}"
    else:
        assert lines[1] == "True []"


def aged(path: Path, number: int, days: float, now: float) -> None:
    """Set the time of a session's last line to this age."""
    folder = path / info(number).session
    for place in (folder / FILE, folder):
        os.utime(place, (now - days * DAY,) * 2)


def names(path: Path) -> list[int]:
    return [int(folder.name, 16) for folder in folders(path)]


def test_old_folders_are_removed(tmp_path: Path) -> None:
    """Recent folders stay, and so do those that belong to no session."""
    now = 1_800_000_000.0
    logger = sink(tmp_path, age=7)
    for number in (1, 2, 3):
        play(logger, number)
    (tmp_path / "notes").mkdir()
    for number, days in ((1, 8), (2, 6), (3, 100)):
        aged(tmp_path, number, days, now)
    logger.prune(now)
    assert names(tmp_path) == [2]
    assert (tmp_path / "notes").is_dir()


def test_a_session_that_ended_elsewhere_is_removed_too(tmp_path: Path) -> None:
    """Its end is never reported here; after a long silence it counts as ended."""
    now = 1_800_000_000.0
    logger = sink(tmp_path, age=0.001)
    for number, days in ((1, 0.005), (2, 1.0)):
        logger.write(judged(number, 1))
        aged(tmp_path, number, days, now)
    logger.prune(now)
    assert names(tmp_path) == [1]
    logger.write(judged(2, 2))
    assert [frame.seq for frame in read(tmp_path, 2).frames] == [2]


def test_the_oldest_folders_are_removed_over_the_size_limit(tmp_path: Path) -> None:
    """As few as needed are removed; folders from before there was a limit count, too."""
    logger = sink(tmp_path)
    for number in range(1, 9):
        play(logger, number)
        aged(tmp_path, number, 10 - number, 1_800_000_000.0)
    each = sum(file.stat().st_size for file in (tmp_path / info(1).session).iterdir())
    bounded = sink(tmp_path, size=35_000)
    bounded.prune(1_800_000_000.0)
    kept = names(tmp_path)
    assert kept == list(range(9 - 35_000 // each, 9))
    bounded.prune(1_800_000_000.0)
    assert names(tmp_path) == kept


def test_an_unreadable_folder_does_not_stop_the_removal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; other folders that are too old are removed."""
    now = 1_800_000_000.0
    logger = sink(tmp_path, age=7)
    for number in (1, 3):
        play(logger, number)
        aged(tmp_path, number, 8, now)
    odd = tmp_path / info(2).session
    odd.symlink_to(odd)
    logger.prune(now)
    assert names(tmp_path) == [2]
    assert f"{odd} cannot be read and is never removed" in caplog.text


def test_without_limits_nothing_is_removed(tmp_path: Path) -> None:
    """0 keeps the folders forever."""
    logger = sink(tmp_path)
    play(logger, 1)
    aged(tmp_path, 1, 10_000, 1_800_000_000.0)
    logger.prune(1_800_000_000.0)
    assert names(tmp_path) == [1]


def test_old_folders_are_removed_periodically(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removal runs at start-up and at intervals afterwards."""
    play(sink(tmp_path), 1)
    aged(tmp_path, 1, 0, 0)
    logger = sink(tmp_path, age=1)
    logger.maintain()
    assert names(tmp_path) == []
    play(logger, 2)
    aged(tmp_path, 2, 0, 0)
    logger.maintain()
    assert names(tmp_path) == [2]
    monkeypatch.setattr(file_logger, "PRUNE_SECONDS", 0.0)
    logger.maintain()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_created_is_an_error_at_start_up(tmp_path: Path) -> None:
    """One line names the key."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"FileLogger\] args.path .*file/logs"):
        sink(tmp_path / "file" / "logs")
