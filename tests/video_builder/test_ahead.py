"""Items prepared ahead and errors arrive in order; leaving early leaves no thread."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from video_builder.ahead import Ahead


def test_items_come_in_order() -> None:
    """All of them, once."""
    with Ahead(range(100), 2) as items:
        assert list(items) == list(range(100))


def test_no_more_items_than_requested_are_prepared() -> None:
    """They are those in the queue, and the one that the thread holds."""
    prepared: list[int] = []
    with Ahead((prepared.append(n) or n for n in itertools.count()), 2) as items:  # type: ignore[func-returns-value]
        for item in itertools.islice(items, 20):
            assert len(prepared) <= item + 1 + 2 + 1


def test_an_error_is_raised_in_order() -> None:
    """The items before it are not lost."""

    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    seen = []
    with Ahead(failing(), 2) as items, pytest.raises(ZeroDivisionError):
        seen.extend(items)
    assert seen == [1]


def test_leaving_early_ends_the_thread() -> None:
    """The thread may be waiting for space in the queue."""
    with Ahead(itertools.count(), 2) as items:
        next(iter(items))
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
