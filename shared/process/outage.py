"""One line in the log when something fails, and one when it works again."""

from __future__ import annotations

import logging


class Outage:
    """Whether a thing that this process uses is out of order.

    Args:
        log: where to log.
        failing: what to log when it fails, before the reason.
        recovered: what to log when it works again.

    Attributes:
        lasts: it failed the last time it was used.
    """

    def __init__(self, log: logging.Logger, failing: str, recovered: str) -> None:
        self._log = log
        self._failing = failing
        self._recovered = recovered
        self.lasts = False

    def failed(self, why: object) -> None:
        """Record a failure; only the first of several in a row is logged.

        Args:
            why: the reason and what follows from it.
        """
        if not self.lasts:
            self._log.error("%s: %s", self._failing, why)
        self.lasts = True

    def worked(self) -> None:
        """Record a success; only the first after a failure is logged."""
        if self.lasts:
            self._log.warning(self._recovered)
        self.lasts = False
