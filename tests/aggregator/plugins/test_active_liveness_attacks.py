"""Recordings pass ActiveLiveness only by chance; stills and circling heads never pass."""

from __future__ import annotations

import math
from typing import Any

import pytest

from loadtest.script import BLINK, CHIN_DOWN, CHIN_UP, TURN_LEFT, TURN_RIGHT, Gesture
from loadtest.synthetic.look import Look
from shared.codes import Code
from shared.config.service import Config
from tests.support.acting import Director, play
from tests.support.judge import plugin_config


def config(**args: Any) -> Config:
    return plugin_config({"ActiveLiveness": args})


ALL = [BLINK, TURN_LEFT, TURN_RIGHT, CHIN_UP, CHIN_DOWN]


def recording(
    gestures: list[Gesture], *, lead: float = 0.5, gap: float = 0.3, speed: float = 1.0
) -> Director:
    """A recording that repeats the same gestures, whatever the prompts."""
    total = sum(gesture.seconds + gap for gesture in gestures)

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        at = (now * speed - lead) % total if now * speed > lead else -1.0
        for gesture in gestures:
            if at < gesture.seconds:
                return gesture.look(at)
            at -= gesture.seconds + gap
        return Look()

    return direct


@pytest.mark.parametrize("allowed", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_recording_passes_as_often_as_chance_allows(count: int, allowed: int) -> None:
    """Each attempt guesses one ordered choice; there are ``wrongActionsAllowed`` + 1 attempts.

    Every kind of recording is played against 200 seeds; three standard deviations are allowed.
    """
    chance = (1 + allowed) * math.factorial(5 - count) / math.factorial(5)
    most = 200 * chance + 3 * math.sqrt(200 * chance * (1 - chance))
    recordings = {
        "everything": recording(ALL),
        "everything, fast": recording(ALL, gap=0.05, speed=2.0),
        "nods": recording(ALL[1:]),
        "shakes": recording([TURN_LEFT, TURN_RIGHT]),
        "blinks between": recording([BLINK, TURN_LEFT, BLINK, CHIN_UP]),
        "the other way round": recording(ALL[::-1]),
    }
    args = config(interactionsCount=count, wrongActionsAllowed=allowed)
    for name, director in recordings.items():
        passed = sum(play(args, director, seed=seed).last.accepted for seed in range(200))
        assert passed <= most, f"{name}: {passed} of 200, chance {chance:.3f}"


@pytest.mark.parametrize("count", [1, 5])
def test_a_still_never_passes(count: int) -> None:
    """It fails with code 60 when the time for the action is over."""
    for seed in range(40):
        played = play(config(interactionsCount=count), lambda now, codes: Look(), seed=seed, fps=5)
        assert (played.last.final, played.last.accepted) == (True, False)
        assert played.last.errors == (Code.ACTION_FAILED,)
        assert 15.0 < len(played.outcomes) / 5 < 16.0


def test_circling_the_head_never_passes() -> None:
    """A head that is never straight starts no turn and no nod, and circling is no blink."""
    circle: Director = lambda now, codes: (  # noqa: E731
        Look() if now < 0.5 else Look(yaw=25 * math.cos(6 * now), pitch=25 * math.sin(6 * now))
    )
    for seed in range(60):
        assert not play(config(interactionsCount=1), circle, seed=seed).last.accepted
