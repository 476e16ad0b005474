"""Gestures over time, and the actor who follows prompts."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise

import pytest

from loadtest.script import BLINK, GESTURES, STRAIGHT, TURN_LEFT, Actor
from loadtest.synthetic.look import Look
from shared.codes import PROMPTS, Code

RATE = 10


def play(actor: Actor, seconds: float, start: float = 0.0) -> list[Look]:
    return [actor.look(start + number / RATE) for number in range(round(seconds * RATE))]


def test_every_prompt_has_a_gesture() -> None:
    """Each code that prompts an action is in the table."""
    assert set(GESTURES) == PROMPTS


def test_gesture_goes_out_and_back() -> None:
    """A gesture starts and ends with the neutral look and holds its peak in between."""
    assert TURN_LEFT.look(0) == TURN_LEFT.look(TURN_LEFT.seconds) == Look()
    assert TURN_LEFT.look(TURN_LEFT.out + TURN_LEFT.hold / 2) == TURN_LEFT.peak
    assert 0 < TURN_LEFT.look(TURN_LEFT.out / 2).yaw < TURN_LEFT.peak.yaw


def test_a_gesture_is_neutral_outside_its_time() -> None:
    """The look is neutral before the start and after the end of a gesture."""
    assert BLINK.look(-1) == BLINK.look(99) == STRAIGHT.look(0) == Look()


def test_idle_actor_only_sways() -> None:
    """Without a prompt the actor moves by a few degrees at most, but never stands still."""
    looks = play(Actor(), 20)
    assert max(abs(angle) for look in looks for angle in (look.yaw, look.pitch, look.roll)) < 3
    assert len({look.yaw for look in looks}) == len(looks)
    assert {(look.left_eye_closed, look.mouth_open) for look in looks} == {(0, 0)}


def test_the_seed_determines_the_sway() -> None:
    """Equal seeds give equal motions, different ones do not."""
    assert play(Actor(3), 5) == play(Actor(3), 5) != play(Actor(4), 5)


@pytest.mark.parametrize(
    ("code", "name", "peak"),
    [
        (Code.ASK_TURN_LEFT, "yaw", 25),
        (Code.ASK_TURN_RIGHT, "yaw", -25),
        (Code.ASK_CHIN_UP, "pitch", 25),
        (Code.ASK_CHIN_DOWN, "pitch", -25),
        (Code.CLOSE_EYES, "left_eye_closed", 1),
        (Code.CLOSE_EYES, "right_eye_closed", 1),
    ],
)
def test_prompt_is_obeyed(code: Code, name: str, peak: float) -> None:
    """A gesture is completed, then the actor looks straight again."""
    actor = Actor()
    actor.look(0)
    actor.ask(code)
    values = [getattr(look, name) for look in play(actor, 4, start=0.1)]
    sign = 1 if peak > 0 else -1
    assert max(sign * value for value in values) >= abs(peak)
    assert abs(values[-1]) < 3


def test_peak_lasts_for_several_frames() -> None:
    """At five frames per second, two frames show the peak of a blink and of a turn."""
    for code, name in ((Code.CLOSE_EYES, "left_eye_closed"), (Code.ASK_TURN_LEFT, "yaw")):
        actor = Actor()
        actor.ask(code)
        values = [getattr(actor.look(number / 5), name) for number in range(20)]
        assert sum(value > 0.9 * max(values) for value in values) >= 2


def test_motion_is_smooth() -> None:
    """A turn does not jump between two looks a tenth of a second apart."""
    actor = Actor()
    yaws = []
    for number in range(100):
        if number in (10, 17):
            actor.ask(Code.ASK_TURN_LEFT if number == 10 else Code.ASK_TURN_RIGHT)
        yaws.append(actor.look(number / RATE).yaw)
    steps = [abs(second - first) for first, second in pairwise(yaws)]
    assert max(steps) < 16


def test_repeated_prompt_is_one_gesture() -> None:
    """A prompt that is repeated with every frame does not restart the gesture."""
    once, often = Actor(), Actor()
    once.look(0)
    often.look(0)
    once.ask(Code.ASK_TURN_LEFT)
    for number in range(1, 20):
        often.ask(Code.ASK_TURN_LEFT)
        assert once.look(number / RATE) == often.look(number / RATE)


def test_prompt_after_the_end_is_obeyed_again() -> None:
    """A prompt after the end of its gesture starts the gesture again."""
    actor = Actor()
    actor.ask(Code.CLOSE_EYES)
    play(actor, 3)
    actor.ask(Code.CLOSE_EYES)
    assert max(look.left_eye_closed for look in play(actor, 3, start=3)) == 1


def test_straight_prompt_ends_a_turn() -> None:
    """A prompt to look straight ends a turn early."""
    actor = Actor()
    actor.ask(Code.ASK_TURN_LEFT)
    play(actor, 1.3)
    actor.ask(Code.LOOK_STRAIGHT_YAW)
    assert abs(play(actor, 0.8, start=1.3)[-1].yaw) < 3


def test_failed_checks_are_no_prompts() -> None:
    """Their codes are ignored."""
    heedless, plain = Actor(), Actor()
    heedless.ask(Code.BLURRED)
    heedless.ask(12345)
    assert play(heedless, 2) == play(plain, 2)


def test_looks_are_in_range() -> None:
    """Closures stay within 0..1 for any prompts in any order."""
    actor = Actor(7)
    for number in range(200):
        actor.ask(Code.CLOSE_EYES if number % 3 else Code.OPEN_EYES)
        look = actor.look(number / RATE)
        assert 0 <= look.left_eye_closed <= 1
        assert all(abs(value) < 100 for value in astuple(look))
