"""A connection is broken when nothing moves on it, and not before."""

from __future__ import annotations

from shared.client.standstill import STEPS, Movement, Standstill


class Line:
    """A connection whose bytes a test sets."""

    def __init__(self, arrived: int = 0, unacknowledged: int = 0) -> None:
        self.now = Movement(arrived, unacknowledged)

    def measure(self) -> Movement:
        return self.now


def looks_until_over(standstill: Standstill) -> int:
    """How many looks it takes from here, while nothing changes."""
    for look in range(1, 100):
        if standstill.is_over():
            return look
    raise AssertionError("never over")


def test_silence_lasts_the_whole_time() -> None:
    """Not a look less, and not one more."""
    standstill = Standstill(30.0, Line().measure)
    assert standstill.step * STEPS == 30.0
    assert looks_until_over(standstill) == STEPS


def test_a_byte_that_came_starts_the_time_again() -> None:
    """A message that is still arriving is no silence, however long it takes."""
    line = Line()
    standstill = Standstill(1.0, line.measure)
    for arrived in range(1000):
        line.now = Movement(arrived, 0)
        assert not standstill.is_over()
    assert looks_until_over(standstill) == STEPS


def test_a_byte_that_left_starts_the_time_again() -> None:
    """A frame that is still on its way is no silence; one that stands is."""
    line = Line(0, 60_000)
    standstill = Standstill(1.0, line.measure)
    for left in range(60_000, 0, -1000):
        line.now = Movement(0, left)
        standstill.is_over()
    line.now = Movement(0, 0)
    assert not standstill.is_over()
    line.now = Movement(0, 500)  # more to send is no progress
    assert looks_until_over(standstill) == STEPS
