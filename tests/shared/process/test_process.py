"""The log: one JSON object per line, with the current session and frame; protected memory."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

from shared.process.process import JsonFormatter, about
from tests.support.log import logged


def test_a_line_names_what_is_at_work() -> None:
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


async def test_tasks_keep_to_the_frame_that_began_them() -> None:
    """Even while others are judged."""

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
