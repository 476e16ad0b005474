"""The roles of a cell and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("gateway", "worker", "aggregator")


@dataclass(frozen=True)
class Line:
    """A line between two roles.

    Attributes:
        key: key in ``[TRANSPORT]`` of its address, and name of its socket file.
        server: role that binds the address.
        client: role that connects to it.
    """

    key: str
    server: str
    client: str


WORKERS = Line("workers", server="gateway", client="worker")
AGGREGATOR = Line("aggregator", server="aggregator", client="gateway")
LINES = (WORKERS, AGGREGATOR)
