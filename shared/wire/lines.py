"""The roles of a cell and the lines between them."""

from dataclasses import dataclass

ROLES = ("gateway", "worker", "aggregator")


@dataclass(frozen=True)
class Line:
    """A line between two roles: the server binds, the client connects.

    ``key`` is the key of its address in ``[TRANSPORT]`` and the name of its socket file.
    """

    key: str
    server: str
    client: str


WORKERS = Line("workers", server="gateway", client="worker")
AGGREGATOR = Line("aggregator", server="aggregator", client="gateway")
LINES = (WORKERS, AGGREGATOR)
