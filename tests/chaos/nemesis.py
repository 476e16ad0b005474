"""Which faults come when: a pure function of the seed, so that a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

WORKER, AGGREGATOR, GATEWAY = "worker", "aggregator", "gateway"
KEEPERS = frozenset({AGGREGATOR, GATEWAY})
"""Roles that hold the sessions together: either may die, and recovers before the other one does."""
HEALING_SECONDS = 3.0


class Act(StrEnum):
    """What is done to a role."""

    KILL = "kill"
    STOP = "stop"
    RESTART = "restart"
    EXHAUST = "exhaust descriptors"
    POISON = "frame that kills"
    HANG = "frame that hangs"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its time (seconds from the start), kind, target and duration."""

    at: float
    act: Act
    role: str
    seconds: float = 0.0


_CHOICES: tuple[tuple[int, Act, str, tuple[float, float]], ...] = (
    (20, Act.KILL, WORKER, (0, 0)),
    (20, Act.STOP, WORKER, (0.1, 4.0)),
    (8, Act.RESTART, WORKER, (0, 0)),
    (24, Act.KILL, AGGREGATOR, (0, 0)),
    (20, Act.STOP, AGGREGATOR, (0.1, 3.0)),
    (8, Act.RESTART, AGGREGATOR, (0, 0)),
    (24, Act.KILL, GATEWAY, (0, 0)),
    (16, Act.STOP, GATEWAY, (0.1, 3.0)),
    (8, Act.RESTART, GATEWAY, (0, 0)),
    (12, Act.EXHAUST, GATEWAY, (0.5, 3.0)),
    (4, Act.POISON, WORKER, (0, 0)),
    (3, Act.HANG, WORKER, (0, 0)),
)
"""Weight, act, role, and the range of the duration in seconds."""


def schedule(seed: int, seconds: float, *, pause: float = 0.9) -> list[Fault]:
    """Draw the faults of a run.

    Args:
        seed: equal seeds give equal schedules.
        seconds: length of the run.
        pause: mean seconds between two faults.

    Two faults of ``KEEPERS`` are at least ``HEALING_SECONDS`` apart, counted from the end of the
    first: a session that both have lost is lost by design.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    at, healed = 0.0, 0.0
    while True:
        at += chance.uniform(0.4, 1.6) * pause
        if at >= seconds:
            return faults
        open_to = [c for c in _CHOICES if c[2] not in KEEPERS or at >= healed]
        _, act, role, (least, most) = chance.choices(open_to, [c[0] for c in open_to])[0]
        fault = Fault(at, act, role, chance.uniform(least, most))
        if role in KEEPERS:
            healed = at + fault.seconds + HEALING_SECONDS
        faults.append(fault)
