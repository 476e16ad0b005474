"""The processes of ``lunapass run``: for each cell an aggregator, workers and a gateway."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.config.cells import of_cell, share
from shared.config.handover import PartSender
from shared.config.service import Config
from shared.process.listening import Listeners, inherited_listeners, open_listeners


@dataclass
class Child:
    """One role's process.

    Attributes:
        name: role and number, such as ``worker-0``.
        arguments: of ``lunapass``, without ``--part-fd``.
        cell: number of its cell; None if there is only one.
        descriptors: open files that it inherits, without the socket of ``--part-fd``.
        notified_at: monotonic time of its last notification.
        deaths: monotonic times of its deaths within the crash window.
        reload_when_ready: it must load its newest part as soon as it is ready.
        given_up: it died too often and is not started again.
    """

    name: str
    arguments: Sequence[str]
    cell: int | None = None
    descriptors: Sequence[int] = ()
    parts: PartSender | None = None
    process: asyncio.subprocess.Process | None = None
    notify: socket.socket | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    notified_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)
    reload_when_ready: bool = False
    given_up: bool = False

    @property
    def role(self) -> str:
        """Its subcommand."""
        return self.arguments[0]

    @property
    def is_gateway(self) -> bool:
        """Whether it has clients to drain."""
        return self.role == "gateway"


@dataclass
class Cell:
    """One cell's processes, and the sockets that stay open when its gateway dies."""

    children: list[Child]
    sockets: Listeners


def plan(config: Config, workers: int) -> list[Cell]:
    """Open every cell's sockets and plan its processes; ``workers`` counts those of all cells.

    Raises:
        ResourceError: a port is in use or not permitted.
    """
    shared = inherited_listeners()
    numbers = range(config.TRANSPORT.cells)
    return [_cell(config, workers, number, shared) for number in numbers]


def _cell(config: Config, workers: int, number: int, shared: Listeners | None) -> Cell:
    cells = config.TRANSPORT.cells
    common = ["--parent", str(os.getpid())]
    cell = number if cells > 1 else None
    suffix = f"-{number}" if cells > 1 else ""
    sockets = shared or open_listeners(of_cell(config, cell))
    listening = [word for fd in sockets.descriptors for word in ("--listen-fd", str(fd))]
    if sockets.inherited:
        listening.append("--kept")
    children = [
        Child(f"aggregator{suffix}", ["aggregator", *common], cell),
        *(
            Child(f"worker-{index}", ["worker", "--index", str(index), *common], cell)
            for index in share(workers, cells, number)
        ),
        Child(f"gateway{suffix}", ["gateway", *listening, *common], cell, sockets.descriptors),
    ]
    return Cell(children, sockets)
