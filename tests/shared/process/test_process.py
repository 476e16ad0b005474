"""The log: one JSON object per line, with the current session and frame; protected memory."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.process.process import JsonFormatter, about
from tests.support.log import logged


def test_a_line_names_the_current_session_and_frame() -> None:
    """Only within the block; a line's own fields take precedence."""
    with logged("t") as lines:
        log = logging.getLogger("t")
        with about(session="s", seq=3):
            log.warning("inside")
            log.warning("its own", extra={"fields": {"seq": 4, "worker": "w"}})
        log.warning("outside")
    assert [entry["message"] for entry in lines] == ["inside", "its own", "outside"]
    assert (lines[0]["session"], lines[0]["seq"]) == ("s", 3)
    assert (lines[1]["session"], lines[1]["seq"], lines[1]["worker"]) == ("s", 4, "w")
    assert not {"session", "seq"} & set(lines[2])


async def test_tasks_keep_the_frame_that_started_them() -> None:
    """Other frames may be judged meanwhile."""

    async def ask() -> None:
        await asyncio.sleep(0)
        logging.getLogger("t").warning("answered")

    with logged("t") as lines:
        tasks = []
        for seq in (1, 2):
            with about(session="s", seq=seq):
                tasks.append(asyncio.create_task(ask()))
        await asyncio.gather(*tasks)
    assert [entry["seq"] for entry in lines] == [1, 2]


def test_a_line_cannot_be_forged() -> None:
    """A client's text stays within its line."""
    record: Any = logging.makeLogRecord({"msg": 'x\n{"level": "info"}', "levelname": "ERROR"})
    text = JsonFormatter("gateway").format(record)
    assert "\n" not in text
    assert json.loads(text)["message"].startswith("x\n")


def test_the_time_is_readable() -> None:
    """ISO 8601 in UTC with milliseconds, which sorts as text."""
    record: Any = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "created": 1.0004})
    assert json.loads(JsonFormatter("gateway").format(record))["time"] == "1970-01-01T00:00:01.000Z"


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Only if standard error is the journal's stream; the log file has only JSON."""
    file = tmp_path / "log"
    program = (
        "import logging, os, sys\n"
        "from shared.process.process import start_logging\n"
        "status = os.fstat(2)\n"
        "stream = f'{status.st_dev}:{status.st_ino}'\n"
        "for os.environ['JOURNAL_STREAM'] in ('8:1', stream):\n"
        "    start_logging('gateway', 2, sys.argv[1])\n"
        "    for level in (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG):\n"
        "        logging.log(level, 'x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True
    )
    assert [line.partition("{")[0] for line in done.stderr.splitlines()] == [
        *(4 * [""]),
        *("<3>", "<4>", "<6>", "<7>"),
    ]
    assert all(line.startswith("{") for line in file.read_text().splitlines())


def test_hidden_memory_leaves_no_core_file() -> None:
    """No core dump is written, and other processes of the user cannot read the memory."""
    get_dumpable = 3  # PR_GET_DUMPABLE of linux/prctl.h
    program = (
        "import ctypes, shared.process.process\n"
        f"is_dumpable = lambda: ctypes.CDLL(None).prctl({get_dumpable})\n"
        "before = is_dumpable()\n"
        "shared.process.process.hide_memory()\n"
        "print(before, is_dumpable())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0"]
