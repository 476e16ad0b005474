"""A connection counts as broken without progress, and not earlier."""

from __future__ import annotations

from lunapass_client.standstill import STEPS, Movement, Standstill


class Line:
    """A connection whose progress a test sets."""

    def __init__(self, arrived: int = 0, unacknowledged: int = 0) -> None:
        self.now = Movement(arrived, unacknowledged)

    def measure(self) -> Movement:
        return self.now


def measurements_until_over(standstill: Standstill) -> int:
    """Return the number of measurements until the connection counts as broken."""
    for look in range(1, 100):
        if standstill.is_over():
            return look
    raise AssertionError("never over")


def test_silence_lasts_the_whole_time() -> None:
    """Exactly as many measurements as configured."""
    standstill = Standstill(30.0, Line().measure)
    assert standstill.step * STEPS == 30.0
    assert measurements_until_over(standstill) == STEPS


def test_a_received_byte_restarts_the_time() -> None:
    """An incomplete message is progress, however long it takes."""
    line = Line()
    standstill = Standstill(1.0, line.measure)
    for arrived in range(1000):
        line.now = Movement(arrived, 0)
        assert not standstill.is_over()
    assert measurements_until_over(standstill) == STEPS


def test_a_sent_byte_restarts_the_time() -> None:
    """A frame that is being sent is progress; one that is stuck is not."""
    line = Line(0, 60_000)
    standstill = Standstill(1.0, line.measure)
    for left in range(60_000, 0, -1000):
        line.now = Movement(0, left)
        standstill.is_over()
    line.now = Movement(0, 0)
    assert not standstill.is_over()
    line.now = Movement(0, 500)  # more bytes to send are no progress
    assert measurements_until_over(standstill) == STEPS
