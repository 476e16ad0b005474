"""Decodes images in one thread while another one encodes; both release the GIL."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs an iteration in its own thread, a few items ahead of the consumer.

    An exception of the iteration is raised to the consumer in place of the item. If the block ends
    early, the iteration ends after its next item.
    """

    def __init__(self, items: Iterable[T], max_items: int) -> None:
        self._items = items
        self._ready: queue.Queue[T | _End] = queue.Queue(max_items)
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def __iter__(self) -> Iterator[T]:
        """Yield the items in order."""
        while not isinstance(item := self._ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._abandoned.set()
        while self._thread.is_alive():
            self._drop_one()
            self._thread.join(0.01)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._ready.put(item)
                if self._abandoned.is_set():
                    return
        except BaseException as raised:
            error = raised
        self._ready.put(_End(error))

    def _drop_one(self) -> None:
        """Make room, so that the thread does not block."""
        try:
            self._ready.get_nowait()
        except queue.Empty:
            return


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error
