"""A simulated estimator: what a worker would measure on a synthetic person, without any picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aggregator.plugins.registry import Registry
from aggregator.session import Outcome, Session
from loadtest.look import Look
from loadtest.script import Actor
from shared.codes import Code
from shared.config import Config
from shared.estimation import Estimate, Eyes, HeadPose, Liveness, Profile, Stage
from shared.messages import Open
from tests.support.judge import SESSION, live

STRAIGHT_DEG = 20.0
Director = Callable[[float, tuple[int, ...]], Look]
"""Gives the look at a time, told the codes of the frame before."""


def seen(look: Look, profile: Profile, *, number: int = 0, passive: bool = True) -> Estimate:
    """What a worker would say of a look."""
    left, right = (max(0.05, 0.3 * (1 - c)) for c in (look.left_eye_closed, look.right_eye_closed))
    estimate = live(
        profile=profile,
        head_pose=HeadPose(look.yaw, look.pitch, look.roll),
        eyes=Eyes(left, right, left >= 0.2, right >= 0.2),
        liveness=None,
    )
    if profile is Profile.ACTIVE:
        estimate.stage = Stage.EYES
    elif max(abs(look.yaw), abs(look.pitch)) > STRAIGHT_DEG:
        estimate.stage, estimate.errors = Stage.HEAD_POSE, (Code.TURN_LEFT,)
    elif left < 0.2 and right < 0.2:
        estimate.stage, estimate.errors = Stage.EYES, (Code.EYES_CLOSED,)
    elif passive:
        estimate.liveness = Liveness(0.9 + number % 7 / 100, 1.0)
    else:
        estimate.stage, estimate.ags = Stage.AGS, 0.9
    return estimate


def obeying(seed: int = 0) -> Director:
    """A person who does what is asked."""
    actor = Actor(seed)

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        for code in codes:
            actor.ask(code)
        return actor.look(now)

    return direct


@dataclass
class Played:
    """A session that was played to its end.

    Attributes:
        outcomes: of each frame.
        session: the session.
    """

    session: Session
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def last(self) -> Outcome:
        """The outcome of the last frame."""
        return self.outcomes[-1]

    @property
    def prompts(self) -> list[int]:
        """Codes that asked for something, without repetitions."""
        codes = [code for outcome in self.outcomes for code in outcome.errors if 61 <= code <= 68]
        return [code for n, code in enumerate(codes) if n == 0 or code != codes[n - 1]]


def play(
    config: Config,
    director: Director,
    *,
    seed: int = 7,
    fps: float = 10.0,
    seconds: float = 90.0,
    passive: bool = True,
) -> Played:
    """Play a session at the level of the fold until it ends or time is over."""
    opened = Open("", SESSION, 1000.0, seed, bytes(32))
    played = Played(Session(opened, Registry(config).plugins(), config.LIVENESS))
    codes: tuple[int, ...] = ()
    profile = Profile.PASSIVE
    for number in range(1, int(seconds * fps)):
        now = number / fps
        estimate = seen(director(now, codes), profile, number=number, passive=passive)
        outcome = played.session.fold(number, 1000.0 + now, estimate, b"jpeg", replay=False)
        assert isinstance(outcome, Outcome)
        played.outcomes.append(outcome)
        codes, profile = outcome.errors, outcome.profile
        if outcome.final:
            break
    return played
