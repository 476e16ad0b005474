"""LifeSigns: signs of life let a session pass; without them it asks for an action."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Liveness, Profile, Stage
from shared.frame.scene import COLUMNS, ROWS
from shared.wire.messages import Open
from tests.support.eyes import drawn_eyelids
from tests.support.judge import SESSION, live, plugin_config, shot

FACE = Box(215, 130, 210, 250)
BLINK, TURNS = {Code.OPEN_EYES, Code.CLOSE_EYES}, {Code.LOOK_STRAIGHT_YAW, Code.LOOK_STRAIGHT_PITCH}
ASK_TURNS = {Code.ASK_TURN_LEFT, Code.ASK_TURN_RIGHT, Code.ASK_CHIN_UP, Code.ASK_CHIN_DOWN}
Frames = Iterable[Estimate]


def scene(shift: float = 0.0, gain: float = 1.0) -> bytes:
    """A room of soft stripes, shifted by cells and multiplied by a brightness."""
    columns = [int(min(255.0, gain * (100 + 50 * _wave(x + shift)))) for x in range(COLUMNS)]
    return bytes(columns * ROWS)


def _wave(x: float) -> float:
    return abs((x / 6) % 2 - 1)


def person(
    number: int,
    chance: random.Random,
    *,
    eyes: float = 0.05,
    pose: float = 1.0,
    shift: float = 0.0,
    **changes: Any,
) -> Estimate:
    """Return one frame; eyelids, angles and background vary by these amounts."""
    lowered = chance.gauss(0, eyes)
    angles = [chance.gauss(0, pose) for _ in range(3)]
    return live(
        face=FACE,
        eyelids=drawn_eyelids(lowered),
        head_pose=HeadPose(*angles),
        scene=scene(chance.gauss(0, shift), 1 + 0.02 * (number % 3)),
        **changes,
    )


def judge(
    make: Callable[[int, random.Random], Estimate],
    *,
    frames: int = 40,
    fps: float = 5.0,
    args: dict[str, Any] | None = None,
    seed: int = 7,
    sections: dict[str, Any] | None = None,
    **others: dict[str, Any] | None,
) -> tuple[JudgedSession, list[Outcome]]:
    """Judge frames until the session is decided or prompts."""
    config = plugin_config(
        {"LifeSigns": {"fixedCamera": 1, **(args or {})}, **others}, **(sections or {})
    )
    opened = Open("", SESSION, 1000.0, seed, bytes(32))
    session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)
    chance, outcomes = random.Random(seed), []
    for seq in range(1, frames + 1):
        estimate = make(seq, chance)
        outcome = session.fold(
            seq, 1000.0 + (seq - 1) / fps, estimate, None, replay=False, shot=shot(seq)
        )
        assert isinstance(outcome, Outcome)
        outcomes.append(outcome)
        if outcome.final or outcome.profile is Profile.ACTIVE:
            break
    return session, outcomes


def signs_of(session: JudgedSession) -> dict[str, Any]:
    signs: dict[str, Any] = session.context.data["lifeSigns"]
    return signs


def test_a_living_person_passes_without_an_action() -> None:
    """Eyes and head move and only the exposure of the background changes, for 2 s at 5 frames/s."""
    session, outcomes = judge(person)
    assert outcomes[-1].accepted
    assert len(outcomes) == 11
    assert {outcome.errors for outcome in outcomes[:-1]} == {(Code.AGGREGATING,)}
    assert signs_of(session)["decision"] == "accepted"


@pytest.mark.parametrize("fps", [2.0, 5.0, 15.0])
def test_a_decision_needs_seconds_and_frames(fps: float) -> None:
    """At a low frame rate it takes longer; a high one does not decide sooner."""
    _, outcomes = judge(person, fps=fps)
    assert outcomes[-1].accepted
    seconds = (len(outcomes) - 1) / fps
    assert 2.0 <= seconds < 2.2 if fps > 4 else seconds == 3.5


@pytest.mark.parametrize(
    ("changes", "doubts", "asked"),
    [
        ({"eyes": 0.002}, ["eyes"], BLINK),
        ({"eyes": 0.002, "pose": 0.02}, ["eyes", "pose"], BLINK),
        ({"eyes": 0.002, "shift": 0.5}, ["eyes", "background"], BLINK),
        ({"shift": 0.5}, ["background"], TURNS | ASK_TURNS),
        ({"pose": 0.02}, ["pose"], TURNS | ASK_TURNS),
        ({"glasses": "sunglasses"}, ["eyes", "sunglasses"], TURNS | ASK_TURNS),
    ],
)
def test_missing_signs_ask_for_an_action(
    changes: dict[str, Any], doubts: list[str], asked: set[int]
) -> None:
    """After 4 s: a blink if the eyes are in doubt, a random turn if a blink proves nothing."""
    session, outcomes = judge(lambda number, chance: person(number, chance, **changes))
    assert signs_of(session)["doubts"] == doubts
    assert len(outcomes) == 21
    assert set(outcomes[-1].errors) <= asked
    assert outcomes[-1].profile is Profile.ACTIVE
    assert session.context.data["activeLiveness"].items() >= {"action": 1, "actions": 1}.items()


def test_the_turn_is_random_for_each_session() -> None:
    """No session knows the direction beforehand."""
    asked = set()
    for seed in range(12):
        session, _ = judge(
            lambda number, chance: person(number, chance, glasses="sunglasses"), seed=seed
        )
        straight = live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None)
        outcome = session.fold(99, 1006.0, straight, None, replay=False)
        assert isinstance(outcome, Outcome)
        asked.update(outcome.errors)
    assert len(asked & ASK_TURNS) >= 3


def test_a_frame_after_the_action_is_accepted() -> None:
    """After a blink of 0.3 s, a frame that passes every check is accepted."""
    session, _ = judge(lambda number, chance: person(number, chance, eyes=0.001))
    shut, opened = Eyes(0.05, 0.05, False, False), Eyes(0.3, 0.3, True, True)
    for seq, eyes in enumerate([opened, shut, shut, shut, opened], 100):
        acting = live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None, eyes=eyes)
        outcome = session.fold(seq, 1000.0 + 4 + 0.2 * (seq - 99), acting, None, replay=False)
        assert isinstance(outcome, Outcome)
        assert not outcome.accepted
    assert outcome.errors == (Code.AGGREGATING,)
    outcome = session.fold(106, 1006.0, live(), None, replay=False, shot=shot(106))
    assert isinstance(outcome, Outcome)
    assert outcome.accepted
    assert signs_of(session)["decision"] == "asked"


def test_a_missing_action_ends_the_session() -> None:
    """It fails with code 60 after the timeout of ActiveLiveness."""
    session, _ = judge(lambda number, chance: person(number, chance, eyes=0.001))
    acting = live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None)
    outcome = session.fold(100, 1030.0, acting, None, replay=False)
    assert isinstance(outcome, Outcome)
    assert (outcome.final, outcome.accepted, outcome.errors) == (True, False, (60,))


def test_low_scores_refuse_the_session() -> None:
    """A joint score below ``refuseScore`` ends the session with code 32; a doubtful one does not.

    Every frame that reached the check counts, so one lucky frame does not save the session.
    """

    def attack(score: float) -> Callable[[int, random.Random], Estimate]:
        return lambda number, chance: person(
            number, chance, liveness=Liveness(score, 1.0), errors=(Code.LOW_LIVENESS,)
        )

    session, outcomes = judge(attack(0.01))
    assert (outcomes[-1].final, outcomes[-1].errors) == (True, (Code.LOW_LIVENESS,))
    assert signs_of(session)["decision"] == "refused"
    assert not judge(attack(0.2), frames=14)[1][-1].final


def test_frames_with_moire_are_evidence_against_a_person() -> None:
    """Each is refused as a screen, and a high score does not count for the person."""

    def screen(number: int, chance: random.Random) -> Estimate:
        measured = Liveness(0.99, 1.0, moire=9.0)
        return person(number, chance, liveness=measured, errors=(Code.LOW_LIVENESS,))

    session, outcomes = judge(screen, sections={"CHECKS": {"moire": 5.0}})
    assert (outcomes[-1].final, outcomes[-1].errors) == (True, (Code.LOW_LIVENESS,))
    assert signs_of(session)["score"] < 0.01


def test_unknown_signs_ask_for_an_action() -> None:
    """Unmeasured eyes and an invisible background are no signs of life."""
    session, outcomes = judge(
        lambda number, chance: live(face=FACE, head_pose=HeadPose(number % 5, 0, 0))
    )
    assert signs_of(session)["doubts"] == ["eyes", "background"]
    assert outcomes[-1].profile is Profile.ACTIVE


def test_the_background_counts_only_for_a_fixed_camera() -> None:
    """``fixedCamera`` is 0 by default."""
    _, outcomes = judge(
        lambda number, chance: person(number, chance, shift=0.5), args={"fixedCamera": 0}
    )
    assert outcomes[-1].accepted


def test_one_outlier_does_not_make_a_photograph_alive() -> None:
    """Each deviation leaves out the value farthest from the median."""

    def photograph(number: int, chance: random.Random) -> Estimate:
        frame = person(number, chance, eyes=0.001, pose=0.01)
        if number == 10:
            frame.eyelids, frame.head_pose = drawn_eyelids(0.2), HeadPose(9.0, 0.0, 0.0)
        return frame

    session, _ = judge(photograph)
    assert signs_of(session)["doubts"] == ["eyes", "pose"]


def test_eyes_of_a_turned_head_do_not_count() -> None:
    """Beyond 20 degrees lids look shut."""

    def looking_aside(number: int, chance: random.Random) -> Estimate:
        aside = number % 2
        frame = person(number, chance, eyes=0.001)
        if aside:
            frame.eyelids, frame.head_pose = drawn_eyelids(0.2), HeadPose(25.0, 0.0, 0.0)
        return frame

    session, _ = judge(looking_aside)
    assert "eyes" in signs_of(session)["doubts"]


def test_frames_of_one_moment_count_once() -> None:
    """Frames within 0.1 s of a counted one add nothing."""
    session, _ = judge(person, fps=50.0, frames=40)
    assert signs_of(session)["frames"] == 8


def test_with_active_liveness_it_only_refuses() -> None:
    """ActiveLiveness prompts everyone, so no session waits for signs."""
    _, outcomes = judge(person, ActiveLiveness={"interactionsCount": 1}, frames=1)
    assert outcomes[0].profile is Profile.ACTIVE


def test_with_active_liveness_frames_after_the_actions_count() -> None:
    """A low joint score refuses the session, even if its first frame passed."""

    def doubtful(number: int, chance: random.Random) -> Estimate:
        return person(number, chance, liveness=Liveness(0.01, 1.0), errors=(Code.LOW_LIVENESS,))

    config = plugin_config({"LifeSigns": {}, "ActiveLiveness": {"interactionsCount": 1}})
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)
    session.context.acted = True
    chance = random.Random(7)
    for seq in range(1, 15):
        frame = doubtful(seq, chance)
        outcome = session.fold(seq, 1000.0 + seq / 5, frame, None, replay=False, shot=None)
        assert isinstance(outcome, Outcome)
        if outcome.final:
            break
    assert signs_of(session)["decision"] == "refused"
    assert (outcome.final, outcome.accepted, seq) == (True, False, 11)


@pytest.mark.parametrize("stranger_first", [False, True])
def test_another_face_cannot_show_the_signs(stranger_first: bool) -> None:
    """A still photograph takes turns with a person whose frames fail only at the liveness check."""
    photograph, stranger = (np.eye(512, dtype=np.float32)[index].tobytes() for index in (0, 1))

    def either(number: int, chance: random.Random) -> Estimate:
        if (number // 4) % 2 == stranger_first:
            return person(number, chance, eyes=0, pose=0, descriptor=photograph)
        poor = Liveness(0.3, 1.0)
        return person(
            number, chance, descriptor=stranger, liveness=poor, errors=(Code.LOW_LIVENESS,)
        )

    session, outcomes = judge(either, frames=60, FaceMatcher={})
    assert not any(outcome.accepted for outcome in outcomes)
    assert signs_of(session)["decision"] == "checking"
    assert signs_of(session)["frames"] <= 4


def test_a_frame_of_another_session_asks_for_a_turn() -> None:
    """It suggests a recording, which may contain a blink, too."""
    session, _outcomes = judge(person, frames=3)
    life_signs = next(p for p in session.plugins if type(p).__name__ == "LifeSigns")
    life_signs.on_reuse(session.context, None)  # type: ignore[arg-type]
    chance = random.Random(1)
    for seq in range(4, 30):
        outcome = session.fold(
            seq, 1000.0 + seq / 5, person(seq, chance), None, replay=False, shot=shot(seq)
        )
        assert isinstance(outcome, Outcome)
        if outcome.profile is Profile.ACTIVE:
            break
    assert signs_of(session)["doubts"] == ["repetition"]
    assert set(outcome.errors) <= TURNS | ASK_TURNS
