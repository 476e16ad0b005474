"""Events of invented sessions, as side-effect plugins get them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from aggregator.sinks.events import Event, FrameJudged, SessionEnded, SessionInfo
from shared.frame.best_shot import BestShot
from shared.frame.estimation import (
    Box,
    Estimate,
    Eyes,
    HeadPose,
    Liveness,
    Mouth,
    Profile,
    Quality,
    Stage,
)

JPEG = b"\xff\xd8" + bytes(1000)

ESTIMATE = Estimate(
    640,
    480,
    Profile.PASSIVE,
    Stage.LIVENESS,
    (32,),
    1,
    Box(100, 90, 200, 240),
    Quality(0.9, 0.8, 0.7, 0.6, 0.5),
    HeadPose(1.25, -2.5, 0.0),
    Eyes(0.3, 0.31, True, True),
    Mouth(0.1, 0.2, 0.05),
    "no_glasses",
    0.9,
    Liveness(0.4, 0.8),
    bytes(range(256)) * 2,
    {"detect": 1.5},
)
"""An estimate with every field set."""


def info(number: int) -> SessionInfo:
    return SessionInfo(f"{number:032x}", 1000.0, False, {"camera": "FaceTime"})


def judged(
    number: int, seq: int, received: bytes | None = JPEG, best: BestShot | None = None
) -> FrameJudged:
    return FrameJudged(info(number), seq, 1000.0 + seq, ESTIMATE, (32,), received, best)


def ended(
    number: int, frames: int, *, accepted: bool = True, shot: BestShot | None = None
) -> SessionEnded:
    body = {"isOk": accepted, "jwt": "a.b.c" if accepted else None, "errors": []}
    result = json.dumps({"command": "RESULT", "headers": {}, "body": body}).encode()
    errors = () if accepted else (40,)
    best = frames if accepted else 0
    data = {"score": 0.5}
    return SessionEnded(info(number), 2000.0, accepted, errors, best, frames, result, data, shot)


class Recorder:
    """A sink that records its events, and blocks while its gate is closed."""

    name = "Recorder"
    waiting = 0

    def __init__(self, fault: Callable[[Event], bool] = lambda _: False) -> None:
        self.dropped = 0
        self.disabled = False
        self.events: list[Event] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False
        self._fault = fault

    def write(self, event: Event) -> None:
        assert self.gate.wait(60)
        if self._fault(event):
            raise RuntimeError("broken")
        self.events.append(event)

    def maintain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
