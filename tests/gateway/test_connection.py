"""Answers to a client: bounded while it does not read, and an end that comes in any case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from gateway.connection import Connection
from gateway.sessions import Sessions
from shared.config import Config, LimitsSection
from shared.protocol import CloseCode


@dataclass
class DeafSocket:
    """A client that never reads: what is sent never arrives."""

    aborted: bool = False
    request: None = None
    remote_address: tuple[str, int] = ("192.0.2.1", 1)
    sent: list[str] = field(default_factory=list)

    @property
    def transport(self) -> DeafSocket:
        return self

    def get_write_buffer_size(self) -> int:
        return 1

    def abort(self) -> None:
        self.aborted = True


def connection(**limits: Any) -> tuple[Connection, DeafSocket]:
    config = Config(LIMITS=LimitsSection(**limits))
    socket = DeafSocket()
    return Connection(cast(Any, socket), Sessions(config), config), socket


async def test_answers_unread() -> None:
    """One byte more than queuedBytes cuts the line, and nothing is queued any more."""
    made, socket = connection(queuedBytes=100)
    made.send("x" * 100)
    assert not socket.aborted
    made.send("x")
    assert socket.aborted


async def test_an_idle_client_is_closed() -> None:
    """Silence longer than idleSeconds ends the connection with its own code."""
    made, _ = connection(idleSeconds=10.0)
    made.check_idle(made.last_heard + 9)
    assert made._closing is None
    made.check_idle(made.last_heard + 11)
    assert made._closing is not None
    assert made._closing[0] is CloseCode.IDLE
