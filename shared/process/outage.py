"""Log one line when a resource fails, and one when it works again."""

import logging


class Outage:
    """Whether a resource of this process, such as a disk or Redis, has failed.

    The texts are what to log when it fails, before the reason, and when it works again.
    """

    def __init__(self, log: logging.Logger, failing: str, recovered: str) -> None:
        self._log = log
        self._failing = failing
        self._recovered = recovered
        self.ongoing = False

    def failed(self, why: object) -> None:
        """Record a failure; only the first of several in a row is logged."""
        was_ongoing, self.ongoing = self.ongoing, True  # first: logging may use the resource
        if not was_ongoing:
            self._log.error("%s: %s", self._failing, why)

    def worked(self) -> None:
        """Record a success; only the first after a failure is logged."""
        was_ongoing, self.ongoing = self.ongoing, False
        if was_ongoing:
            self._log.warning(self._recovered)
