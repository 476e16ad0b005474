"""FileLogger never exceeds its size limit, and removes the evidence of accepted sessions last."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.sinks.file_logger import FileLogger
from shared.config.plugins import FileLoggerArgs
from shared.config.retention import KEEP_ALL, RetentionSection
from shared.config.service import Config
from shared.session_log import FILE, folders, read_session
from tests.support.docs import toml_example
from tests.support.events import ended, info, judged
from tests.support.service import ROOT

BOUND = 200_000
PICTURE = b"\xff\xd8" + bytes(10_000)


HOUR = 3600.0


def sink(
    path: Path, bound: int = BOUND, retention: RetentionSection = KEEP_ALL, days: float = 30
) -> FileLogger:
    args = FileLoggerArgs(path=str(path), maxBytes=bound, maxAgeDays=days)
    return FileLogger(args, retention)


def used(path: Path) -> int:
    """Return the bytes of all session folders."""
    return sum(file.stat().st_size for folder in folders(path) for file in folder.iterdir())


def names(path: Path) -> set[int]:
    return {int(folder.name, 16) for folder in folders(path)}


def play(logger: FileLogger, number: int, *, accepted: bool, frames: int = 2) -> None:
    for seq in range(1, frames + 1):
        logger.write(judged(number, seq, PICTURE))
    logger.write(ended(number, frames, accepted=accepted))


def test_the_size_limit_holds_after_every_write(tmp_path: Path) -> None:
    """It does not depend on the periodic removal of old folders."""
    logger = sink(tmp_path)
    for number in range(1, 40):
        for seq in range(1, 4):
            logger.write(judged(number, seq, PICTURE))
            assert used(tmp_path) <= BOUND
        logger.write(ended(number, 3, accepted=number % 2 == 0))
        assert used(tmp_path) <= BOUND
    assert 39 in names(tmp_path)


def test_refused_sessions_are_removed_first(tmp_path: Path) -> None:
    """The oldest accepted session is removed only if there is no refused one."""
    logger = sink(tmp_path)
    play(logger, 1, accepted=True)
    play(logger, 2, accepted=True)
    for number in range(3, 60):
        play(logger, number, accepted=False)
    assert {1, 2} < names(tmp_path)
    for number in range(60, 80):
        play(logger, number, accepted=True)
    assert names(tmp_path) == set(range(80 - len(names(tmp_path)), 80))


def test_running_sessions_do_not_displace_finished_ones(tmp_path: Path) -> None:
    """Running sessions share half of the limit; over it they lose images, which is counted."""
    logger = sink(tmp_path)
    for number in range(1, 5):
        play(logger, number, accepted=True)
    for seq in range(1, 40):
        for number in range(100, 105):
            logger.write(judged(number, seq, PICTURE))
    assert {1, 2, 3, 4} < names(tmp_path)
    assert used(tmp_path) <= BOUND
    assert logger.dropped > 100
    play(logger, 5, accepted=True)
    log = read_session(tmp_path / info(5).session)
    assert log.verdict is not None
    assert log.verdict.accepted


def test_a_restarted_process_counts_existing_folders(tmp_path: Path) -> None:
    """It does so even if the stored number of bytes was lost or never written."""
    before = sink(tmp_path)
    for number in range(1, 7):
        play(before, number, accepted=True)
    (tmp_path / ".usage").unlink()
    again = sink(tmp_path)
    for number in range(7, 14):
        play(again, number, accepted=True)
        assert used(tmp_path) <= BOUND


def test_a_limit_below_one_line_writes_nothing(tmp_path: Path) -> None:
    """Every event is counted as dropped."""
    logger = sink(tmp_path, 50)
    play(logger, 1, accepted=True)
    assert (used(tmp_path), logger.dropped, logger.disabled) == (0, 3, False)


def play_all_outcomes(logger: FileLogger) -> None:
    """Write sessions 1 accepted, 2 refused, 3 left, and 4 without an end."""
    play(logger, 1, accepted=True)
    for number, code in ((2, 32), (3, 40)):
        logger.write(judged(number, 1, PICTURE))
        logger.write(replace(ended(number, 1, accepted=False), errors=(code,)))
    logger.write(judged(4, 1, PICTURE))


def age(path: Path, number: int, hours: float, now: float) -> None:
    folder = path / info(number).session
    for place in (*folder.iterdir(), folder):
        os.utime(place, (now - hours * HOUR,) * 2)


@pytest.mark.parametrize(
    ("hours", "stay"),
    [(0.9, {1, 2, 3, 4}), (1.1, {1, 2, 4}), (48.5, {1, 4}), (719, {1, 4}), (721, set())],
)
def test_folders_are_retained_by_outcome_and_age(
    tmp_path: Path, hours: float, stay: set[int]
) -> None:
    """Accepted 30 days, refused 2, left 1 hour, unknown the longest, as in the docs.

    The values are read from the example in docs/operations.md.
    """
    section = Config.model_validate(toml_example("operations.md", "[RETENTION]")).RETENTION
    logger, now = sink(tmp_path, 0, section), 1_800_000_000.0
    play_all_outcomes(logger)
    for number in range(1, 5):
        age(tmp_path, number, hours, now)
    logger.prune(now)
    assert names(tmp_path) == stay


@pytest.mark.parametrize(
    "line", ["[1]", '{"event": "ended"}', '{"event": "ended", "accepted": false, "errors": 1}']
)
def test_an_invalid_last_line_leaves_the_outcome_unknown(tmp_path: Path, line: str) -> None:
    """It does not prevent the removal of other folders."""
    logger, now = sink(tmp_path, 0, RetentionSection(left="1h", accepted="9d")), 1_800_000_000.0
    play_all_outcomes(logger)
    with (tmp_path / info(1).session / FILE).open("a") as log:
        log.write(f"{line}\n")
    for number in range(1, 5):
        age(tmp_path, number, 2, now)
    logger.prune(now)
    assert names(tmp_path) == {1, 2, 4}


def test_the_shorter_of_two_times_applies(tmp_path: Path) -> None:
    """``maxAgeDays`` holds for every outcome, even if ``retention`` allows more."""
    logger, now = sink(tmp_path, 0, RetentionSection(accepted="9d"), days=1), 1_800_000_000.0
    play(logger, 1, accepted=True)
    age(tmp_path, 1, 25, now)
    logger.prune(now)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "limits", [{"retention": RetentionSection(left="1d")}, {"days": 1}], ids=["outcome", "age"]
)
def test_the_size_limit_holds_with_retention(tmp_path: Path, limits: dict[str, Any]) -> None:
    """Removal by age is not counted twice: afterwards the total is within the limit."""
    logger, now = sink(tmp_path, 0), time.time()
    for number in range(1, 9):
        play(logger, number, accepted=False)
    for number in range(1, 4):
        age(tmp_path, number, 25, now)
    each = used(tmp_path) // 8
    logger = sink(tmp_path, 3 * each, **limits)
    logger.prune(now)
    assert 2 * each <= used(tmp_path) <= 3 * each
    play(logger, 9, accepted=True)
    assert used(tmp_path) <= 3 * each
    assert 9 in names(tmp_path)


WRITER = """
import sys
from pathlib import Path
from tests.aggregator.sinks.test_session_folders import play, sink
logger = sink(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    play(logger, number, accepted=number % 3 == 0)
"""


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(1000 * number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3)
    ]
    yield started
    for process in started:
        process.kill()
        process.communicate()


def test_processes_share_the_size_limit(
    tmp_path: Path, writers: list[subprocess.Popen[str]]
) -> None:
    """Three processes write below one path."""
    for process in writers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in writers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = []
    while any(process.poll() is None for process in writers):
        with open(tmp_path / ".usage") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # no writes during the count
            seen.append(used(tmp_path))
        time.sleep(0.01)
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert BOUND // 4 < max(seen) <= BOUND
    assert len(names(tmp_path)) > 3
