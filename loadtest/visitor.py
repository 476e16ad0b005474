"""One person at a kiosk, and how a visit ends."""

from dataclasses import dataclass, field
from enum import StrEnum

from loadtest.script import Actor


class End(StrEnum):
    """How the visit on one connection ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LEFT = "left"
    BROKEN = "broken"
    FAILED = "failed"


@dataclass
class Visitor:
    """One person's session, over any number of connections.

    Attributes:
        started: monotonic time of arrival.
        break_after: frames after which the connection breaks; 0 for never.
        due: time at which each unanswered frame was due, by its number.
        reason: why the last connection ended.
        silent: whether an answer of the service is overdue for too long.
        cut: whether the person broke the connection.
        visits: connections that the service accepted.
        interval: minimum seconds between two frames that the service allows.
        heard: time at which ``arrived`` changed last.
    """

    actor: Actor
    started: float
    break_after: int = 0
    session: str | None = None
    token: str | None = None
    sent: int = 0
    due: dict[int, float] = field(default_factory=dict)
    reason: str = ""
    leaving: bool = False
    silent: bool = False
    cut: bool = False
    visits: int = 0
    interval: float = 0.0
    arrived: int = 0
    heard: float = 0.0
