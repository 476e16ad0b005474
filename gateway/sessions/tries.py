"""Wrong passwords by address: a number at once and a number per minute, in bounded memory."""

from __future__ import annotations

from gateway.web.limits import AddressBuckets


class WrongTries:
    """Counts wrong tries.

    Args:
        at_once: tries of an address that was never wrong.
        per_minute: tries that it gets back in a minute.
    """

    def __init__(self, at_once: int, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._left = AddressBuckets(self._per_second, at_once)

    def exhausted(self, address: str, now: float) -> bool:
        """Whether an address has no try left at a monotonic time."""
        return self._left.available(address, now) < 1

    def note(self, address: str, now: float) -> None:
        """Count a wrong try."""
        self._left.admit(address, now)

    @property
    def pause(self) -> int:
        """Whole seconds after which an address has a try again."""
        return int(1 / self._per_second) + 1
