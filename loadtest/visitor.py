"""One person before a kiosk, and how a visit ends."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from loadtest.script import Actor


class End(StrEnum):
    """How a stay on one connection ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LEFT = "left"
    BROKEN = "broken"
    FAILED = "failed"


@dataclass
class Visitor:
    """One person's attempt, over as many connections as it takes.

    Attributes:
        break_after: frames after which the connection breaks; 0 for never.
        due: time at which each unanswered frame was due, by its number.
        reason: why the last connection ended.
        leaving: the person has said good-bye.
        silent: the service owes an answer for too long.
        cut: the person has broken the line.
        visits: connections that the service has granted.
        interval: least seconds between two frames that the service allows.
        arrived: bytes of the message that is coming.
        heard: time at which these were others before.
    """

    actor: Actor
    chance: random.Random
    began: float
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
