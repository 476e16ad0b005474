"""Decodes frames into their slots, in threads; the decoders release the GIL."""

import asyncio
import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

from shared.config.cells import USABLE
from shared.frame import decoding
from shared.frame.intake import Header
from shared.frame.slab import Slab, SlotHead
from shared.process.affinity import pin_to

END_SECONDS = 1.0

Work = Callable[[], None]
Done = Callable[[Exception | None], None]


class Decoders:
    """Threads for work that must not block the event loop.

    Their overhead is a third of that of a ``ThreadPoolExecutor`` with futures. They may use every
    CPU: large images can need more than the workers leave.
    """

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Work, Done | None] | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._run, name=f"decode-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work, done: Done | None = None) -> None:
        """Run ``work`` in a thread, then call ``done`` on the loop with the error, if any."""
        self._queue.put((work, done))

    def close(self) -> None:
        """Stop the threads after their current work; queued work is dropped."""
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _run(self) -> None:
        pin_to(USABLE)
        while (task := self._queue.get()) is not None:
            work, done = task
            error: Exception | None = None
            try:
                work()
            except Exception as caught:  # passed to the caller, which decides
                error = caught
            if done is not None:
                try:
                    self._loop.call_soon_threadsafe(done, error)
                except RuntimeError:  # the loop is closed
                    return


def decode_into(
    slab: Slab, slot: int, generation: int, seq: int, data: bytes, header: Header
) -> None:
    """Decode a frame into a slot and write the slot's header.

    Raises:
        FrameError: the frame is damaged, is not of the size in its header, or is not opaque.
    """
    width, height = header.upright_size
    decoding.decode_into(slab.pixels(slot, width, height), data, header)
    slab.write_head(slot, SlotHead(generation, seq, width, height))
