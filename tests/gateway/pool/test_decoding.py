"""Frames are decoded directly into their slots."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

from gateway.pool.decoding import Decoders, decode_into
from shared.config.service import LimitsSection
from shared.frame import intake
from shared.frame.slab import Slab
from tests.support.stamp import read_stamp, stamped_jpeg


def test_a_jpeg_is_decoded_into_its_slot(tmp_path: Path) -> None:
    """The slot has the image, its generation and its frame number."""
    slab = Slab.create(slots=2, pixels=640 * 480)
    data = stamped_jpeg(77, 5)
    decode_into(slab, 1, 3, 9, data, intake.judge(data, LimitsSection()))
    assert read_stamp(slab.frame(1, 3, 9)) == (77, 5)


async def test_results_and_errors_are_reported_on_the_event_loop() -> None:
    """The work itself runs in a thread."""
    outcomes: asyncio.Queue[tuple[str, Exception | None, int]] = asyncio.Queue()
    decoders = Decoders(2)

    def record(name: str, error: Exception | None) -> None:
        outcomes.put_nowait((name, error, threading.get_ident()))

    def fail() -> None:
        raise ValueError("damaged")

    decoders.submit(fail, partial(record, "bad"))
    name, error, thread = await outcomes.get()
    assert (name, str(error), thread) == ("bad", "damaged", threading.get_ident())
    decoders.submit(lambda: None, partial(record, "good"))
    assert (await outcomes.get())[:2] == ("good", None)
    decoders.close()


async def test_closing_drops_queued_work() -> None:
    """``close`` waits for running work and drops queued work."""
    began, go_on, done = threading.Event(), threading.Event(), []
    decoders = Decoders(1)

    def slow() -> None:
        began.set()
        go_on.wait(10)
        done.append("slow")

    decoders.submit(slow)
    decoders.submit(lambda: done.append("late"))
    await asyncio.to_thread(began.wait, 10)
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    await asyncio.to_thread(decoders.close)
    assert done == ["slow"]
