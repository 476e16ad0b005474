"""ActiveLiveness at the level of the fold: a person who obeys passes, any other fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aggregator.plugins.actions import BlinkAction, View
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from loadtest.script import CHIN_DOWN, CHIN_UP, TURN_LEFT, TURN_RIGHT, Gesture
from loadtest.synthetic.look import Look
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.estimation import Eyes, HeadPose, Profile
from shared.wire.messages import Open
from tests.support.acting import ASKS, Director, obeying, play, seen
from tests.support.judge import SESSION, plugin_config


def config(**args: Any) -> Config:
    return plugin_config({"ActiveLiveness": args})


def scripted(*looks: Look) -> Director:
    """Show these looks, one per frame, and repeat the last one."""
    rest = list(looks)
    return lambda now, codes: rest.pop(0) if len(rest) > 1 else rest[0]


def asked(config: Config, seed: int) -> Code:
    """Return the first prompt of a session with this seed, for a straight person."""
    return Code(play(config, lambda now, codes: Look(), seed=seed, seconds=0.3).prompts[0])


@pytest.mark.parametrize("count", range(1, 6))
@pytest.mark.parametrize("fps", [4.0, 10.0, 30.0])
def test_a_person_who_obeys_passes(count: int, fps: float) -> None:
    """With any number of actions, at any usual frame rate, each action is prompted once."""
    for seed in range(6):
        played = play(config(interactionsCount=count), obeying(seed), seed=seed, fps=fps)
        assert played.last.accepted, played.prompts
        asks = [code for code in played.prompts if code in ASKS]
        assert len(asks) == len(set(asks)) == count


def test_all_sequences_are_equally_likely() -> None:
    """Every ordered choice of distinct actions is as likely as any other."""
    first = [asked(config(), seed) for seed in range(1000)]
    counts = [first.count(code) for code in ASKS]
    assert sum(counts) == 1000
    assert all(150 < count < 250 for count in counts)


@pytest.mark.parametrize(
    ("prompt", "gesture", "straight"),
    [
        (Code.ASK_TURN_LEFT, TURN_LEFT, Code.LOOK_STRAIGHT_YAW),
        (Code.ASK_TURN_RIGHT, TURN_RIGHT, Code.LOOK_STRAIGHT_YAW),
        (Code.ASK_CHIN_UP, CHIN_UP, Code.LOOK_STRAIGHT_PITCH),
        (Code.ASK_CHIN_DOWN, CHIN_DOWN, Code.LOOK_STRAIGHT_PITCH),
    ],
)
def test_a_head_action_goes_from_straight_past_the_threshold_and_back(
    prompt: Code, gesture: Gesture, straight: Code
) -> None:
    """Straight, then prompted, then straight again; left and right are the person's own."""
    args = config(interactionsCount=1)
    seed = next(s for s in range(50) if asked(args, s) is prompt)
    peak = gesture.peak
    aside = Look(yaw=peak.yaw * 0.5, pitch=peak.pitch * 0.5)  # 14 degrees: neither
    director = scripted(aside, aside, Look(), aside, peak, aside, Look())
    played = play(args, director, seed=seed)
    assert [int(outcome.errors[0]) for outcome in played.outcomes[:-1]] == [
        straight,
        straight,
        prompt,
        prompt,
        straight,
        straight,
        Code.AGGREGATING,
    ]
    assert played.last.accepted


def test_an_angle_equal_to_the_threshold_counts() -> None:
    """Both the start angle for straight and the threshold of the action include equality."""
    args = config(interactionsCount=1)
    seed = next(s for s in range(50) if asked(args, s) is Code.ASK_TURN_LEFT)
    director = scripted(Look(yaw=10), Look(yaw=10), Look(yaw=20), Look(yaw=10), Look())
    assert play(args, director, seed=seed).last.accepted
    short = scripted(Look(yaw=10), Look(yaw=10), Look(yaw=19.9), Look(yaw=10), Look())
    assert not play(args, short, seed=seed).last.accepted


SHUT = Look(left_eye_closed=1, right_eye_closed=1)
WINK = Look(left_eye_closed=1)


@pytest.mark.parametrize(
    ("one_eyed", "look", "frames", "passes"),
    [
        (False, SHUT, 5, True),
        (False, SHUT, 2, False),
        (False, WINK, 5, False),
        (True, WINK, 5, True),
        (True, SHUT, 5, True),
    ],
    ids=["both", "natural blink", "wink", "one eye", "one-eyed and both"],
)
def test_a_blink_is_open_shut_open(one_eyed: bool, look: Look, frames: int, passes: bool) -> None:
    """The eyes are shut for 0.3 s. Both eyes blink, or one if that is accepted."""
    args = config(interactionsCount=1, acceptOneEyed=one_eyed)
    seed = next(s for s in range(50) if asked(args, s) is Code.CLOSE_EYES)
    director = scripted(Look(), Look(), *[look] * frames, Look(), Look())
    assert play(args, director, seed=seed, seconds=5).last.accepted is passes


@pytest.mark.parametrize(
    ("pose", "prompt"),
    [
        (HeadPose(30.0, 5.0, 0.0), Code.LOOK_STRAIGHT_YAW),
        (HeadPose(-5.0, -30.0, 0.0), Code.LOOK_STRAIGHT_PITCH),
        (HeadPose(0.0, 0.0, 0.0), Code.CLOSE_EYES),
    ],
)
def test_a_turned_head_is_asked_to_look_straight_before_it_blinks(
    pose: HeadPose, prompt: Code
) -> None:
    """It may be past a threshold, as after another action. "Open your eyes" would not help then."""
    open_eyes = Eyes(0.3, 0.3, True, True)
    assert BlinkAction(ActiveLivenessArgs()).advance(View(0.0, pose, open_eyes)) is prompt


def test_a_person_with_one_eye_blinks_with_it() -> None:
    """The other eye is always shut; without ``acceptOneEyed`` such a blink does not count."""
    one = replace(WINK, right_eye_closed=0)
    for accepted in (True, False):
        args = config(interactionsCount=1, acceptOneEyed=accepted)
        seed = next(s for s in range(50) if asked(args, s) is Code.CLOSE_EYES)
        director = scripted(one, one, *[SHUT] * 5, one, one)
        assert play(args, director, seed=seed, seconds=5).last.accepted is accepted


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_wrong_action_starts_a_new_sequence(wrong: int) -> None:
    """This happens ``wrongActionsAllowed`` times; one more fails with code 60."""
    args = config(interactionsCount=2, wrongActionsAllowed=1)

    def contrary(director: Director) -> Director:
        left = wrong
        away: list[Look] = []

        def direct(now: float, codes: tuple[int, ...]) -> Look:
            nonlocal left
            asked_now = [code for code in codes if code in ASKS]
            if asked_now and left and not away:
                left -= 1
                other = CHIN_UP if asked_now[0] != Code.ASK_CHIN_UP else TURN_LEFT
                away.extend([other.peak, other.peak, Look()])
            return away.pop(0) if away else director(now, codes)

        return direct

    for seed in range(10):
        last = play(args, contrary(obeying(seed)), seed=seed).last
        assert last.accepted is (wrong <= 1)
        assert last.errors == (() if wrong <= 1 else (Code.ACTION_FAILED,))


def test_eyes_held_shut_instead_of_a_turn_are_a_wrong_action() -> None:
    """A natural blink is not."""
    args = config(interactionsCount=1, wrongActionsAllowed=0)
    seed = next(s for s in range(50) if asked(args, s) is Code.ASK_TURN_LEFT)
    natural = scripted(Look(), Look(), SHUT, SHUT, Look())
    assert not play(args, natural, seed=seed, seconds=3).last.final
    held = play(args, scripted(Look(), Look(), *[SHUT] * 5, Look()), seed=seed, seconds=3)
    assert held.last.errors == (Code.ACTION_FAILED,)


@pytest.mark.parametrize(
    ("args", "seconds"),
    [
        ({"actionTimeout": 4.0}, 4.0),
        ({"actionTimeout": 9.0, "totalTimeout": 6.0}, 6.0),
    ],
)
def test_actions_time_out(args: dict[str, Any], seconds: float) -> None:
    """One action has a timeout, and all together have one; each ends the session with code 60."""
    played = play(config(**args), lambda now, codes: Look())
    assert played.last.errors == (Code.ACTION_FAILED,)
    assert len(played.outcomes) / 10 == pytest.approx(seconds, abs=0.4)


@pytest.mark.parametrize("count", [0, 3])
def test_straight_live_frames_cool_down(count: int) -> None:
    """The given number of them passes after the last action, and the next one decides."""
    played = play(config(interactionsCount=1, cooldownFramesCount=count), obeying())
    assert played.last.accepted
    after = [outcome for outcome in played.outcomes if outcome.profile is Profile.PASSIVE]
    assert [outcome.errors for outcome in after[:-1]] == [(Code.AGGREGATING,)] * (count + 1)


def test_the_profile_follows_the_actions() -> None:
    """Passive until a frame passed completely, active during actions, passive for the verdict."""
    far = Look(yaw=25)
    played = play(config(interactionsCount=1), scripted(far, far, Look()), seconds=1)
    assert [outcome.profile for outcome in played.outcomes[:3]] == [
        Profile.PASSIVE,
        Profile.PASSIVE,
        Profile.ACTIVE,
    ]
    assert played.outcomes[0].errors == (Code.TURN_LEFT,)


def test_a_failed_frame_does_not_count_and_keeps_the_prompt() -> None:
    """Its own code comes first, then the code of the prompt."""
    args = config(interactionsCount=1)
    played = play(args, lambda now, codes: Look(), seconds=0.3)
    blurred = replace(seen(TURN_LEFT.peak, Profile.ACTIVE), errors=(Code.BLURRED,))
    outcome = played.session.fold(9, 1001.0, blurred, None, replay=False)
    assert isinstance(outcome, Outcome)
    assert outcome.errors == (Code.BLURRED, played.prompts[-1])


def test_progress_is_reported() -> None:
    """The number of the action and of all actions; nothing before the first."""
    played = play(config(interactionsCount=3), scripted(Look(yaw=25)), seconds=0.3)
    assert "activeLiveness" not in played.session.context.data
    played = play(config(interactionsCount=3), obeying(), seconds=0.3)
    assert (
        played.session.context.data["activeLiveness"].items() >= {"action": 1, "actions": 3}.items()
    )
    played = play(config(interactionsCount=3), obeying())
    assert played.session.context.data["activeLiveness"] == {"action": 3, "actions": 3}


def test_the_time_left_for_an_action_is_reported() -> None:
    """It falls while the person does nothing, and never exceeds the time left for all actions."""

    def left(seconds: float, **args: float) -> tuple[float, float]:
        idle = play(config(interactionsCount=3, **args), lambda now, codes: Look(), seconds=seconds)
        progress = idle.session.context.data["activeLiveness"]
        return progress["seconds"], progress["secondsLeft"]

    limit, early = left(0.3, actionTimeout=10.0)
    assert limit == 10
    assert 9 < early <= 10
    assert left(4.3, actionTimeout=10.0) == (10, pytest.approx(early - 4, abs=0.3))
    assert left(0.3, actionTimeout=10.0, totalTimeout=5.0)[1] <= 5


@pytest.mark.parametrize("passive", [True, False], ids=["liveness", "no liveness"])
def test_without_passive_liveness_the_actions_must_be_done(passive: bool) -> None:
    """A frame without a liveness score is accepted only after them.

    Without the plugin it never is.
    """
    played = play(config(interactionsCount=2), obeying(), passive=passive)
    assert played.last.accepted
    bare = play(plugin_config({}), obeying(), passive=passive, seconds=3)
    assert bare.last.accepted is passive
    assert bare.last.errors == (() if passive else (Code.LIVENESS_FAILED,))


def test_the_seed_determines_the_order_of_actions() -> None:
    """Equal seeds give equal sequences, and nothing else affects them."""

    def make(seed: int) -> list[int]:
        return play(config(interactionsCount=5), obeying(), seed=seed).prompts

    assert make(3) == make(3)
    assert len({tuple(make(seed)) for seed in range(12)}) > 8


def test_two_sessions_have_different_seeds() -> None:
    """Two sessions with one plugin registry share no state."""
    registry = Registry(config(interactionsCount=2))
    sessions = [
        JudgedSession(
            Open("", SESSION, 1000.0, seed, bytes(32)), registry.plugins(), config().LIVENESS
        )
        for seed in (1, 2)
    ]
    sessions[0].fold(1, 1000.1, seen(Look(), Profile.PASSIVE), None, replay=False)
    assert sessions[1].context.profile is Profile.PASSIVE
