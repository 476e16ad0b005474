"""AggregateLiveness decides by the mean of the last scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.faces import Descriptor
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.frame.estimation import Estimate, Liveness, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

A, B = (np.eye(128, dtype=np.float32)[n] for n in (0, 1))
"""Descriptors of two people who do not look alike."""


def judge(
    estimates: list[Estimate],
    frames: int = 3,
    *,
    early: bool = False,
    pause: float = 1.0,
    args: dict[str, Any] | None = None,
    sections: dict[str, Any] | None = None,
    **others: Any,
) -> tuple[JudgedSession, list[Outcome]]:
    arguments = {"framesCount": frames, "earlyDecision": early, **(args or {})}
    config = plugin_config({"AggregateLiveness": arguments, **others}, **(sections or {}))
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)
    outcomes = []
    for seq, estimate in enumerate(estimates, 1):
        outcome = session.fold(
            seq, 1000.0 + seq * pause, estimate, None, replay=False, shot=shot(seq)
        )
        assert isinstance(outcome, Outcome)
        outcomes.append(outcome)
    return session, outcomes


def low(score: float, **changes: Any) -> Estimate:
    return live(score, errors=(Code.LOW_LIVENESS,), **changes)


def of(face: Descriptor, score: float = 0.9) -> Estimate:
    """A frame of a person, refused if its own score is low."""
    described = {"descriptor": face.tobytes()}
    return live(score, **described) if score >= 0.5 else low(score, **described)


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_it_waits_for_enough_frames(frames: int) -> None:
    """Frames get code 37 until there are ``framesCount`` scores; the last of them decides."""
    _, outcomes = judge([live()] * frames, frames)
    assert [outcome.errors for outcome in outcomes[:-1]] == [(Code.AGGREGATING,)] * (frames - 1)
    assert outcomes[-1].accepted


def test_one_lucky_frame_among_poor_ones_is_not_enough() -> None:
    """Frames refused for their own score count in the mean."""
    _, outcomes = judge([low(0.1), low(0.1), live(0.9)])
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
    assert not outcomes[-1].final


@pytest.mark.parametrize(("frames", "early"), [(2, False), (4, True)])
def test_a_frame_with_moire_counts_against_the_session(frames: int, early: bool) -> None:
    """It is refused as a screen even with a high score. If the check is off, its score counts."""
    screen = live(liveness=Liveness(0.99, 1.0, moire=9.0))
    refused = replace(screen, errors=(Code.LOW_LIVENESS,))
    others = [live(0.6)] * (frames - 1)
    checked = {"CHECKS": {"moire": 5.0}}
    _, outcomes = judge([refused, *others], 10 if early else 2, early=early, sections=checked)
    assert not outcomes[-1].accepted
    _, outcomes = judge([screen, *others], 10 if early else 2, early=early)
    assert outcomes[-1].accepted


def test_only_the_last_frames_count() -> None:
    """Older poor scores no longer count; a mean equal to the threshold passes."""
    _, outcomes = judge([low(0.0), low(0.0), live(0.5), live(0.5), live(0.5)])
    assert [outcome.accepted for outcome in outcomes] == [False] * 4 + [True]


def test_frames_without_a_usable_score_do_not_count() -> None:
    """These are blurred or otherwise unfit frames, and frames of an action."""
    blurred = live(errors=(3,), liveness=None)
    unfit = live(liveness=Liveness(0.99, 0.1), errors=(Code.LOW_LIVENESS_QUALITY,))
    acting = live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None)
    session, outcomes = judge([live(), blurred, unfit, acting, live()])
    assert not outcomes[-1].final
    assert session.context.data["aggregateLiveness"]["frames"] == 2


@pytest.mark.parametrize(
    ("pause", "args", "counted"),
    [
        (0.01, {}, [1, 11, 21]),
        (0.09, {}, [1, 3, 5]),
        (0.1, {}, [1, 2, 3]),
        (0.01, {"minIntervalMs": 0}, [1, 2, 3]),
        (0.1, {"minIntervalMs": 1000}, [1, 11, 21]),
    ],
)
def test_frames_of_one_moment_count_once(
    pause: float, args: dict[str, Any], counted: list[int]
) -> None:
    """Frames count only if received at least ``minIntervalMs`` apart."""
    session, outcomes = judge([live()] * counted[-1], pause=pause, args=args)
    assert [n for n, outcome in enumerate(outcomes, 1) if outcome.accepted] == counted[-1:]
    assert {outcome.errors for outcome in outcomes[:-1]} == {(Code.AGGREGATING,)}
    assert session.context.data["aggregateLiveness"]["frames"] == 3


def test_a_frame_that_arrives_too_soon_changes_no_score() -> None:
    """It counts neither for nor against the person, and keeps its own codes."""
    frames = [live(0.9), low(0.0), low(0.0), low(0.0)]
    session, outcomes = judge(frames, pause=0.02, early=True)
    assert session.context.data["aggregateLiveness"] == {"score": 0.9, "spread": 0.0, "frames": 1}
    assert [outcome.errors for outcome in outcomes[1:]] == [(Code.LOW_LIVENESS,)] * 3
    assert not outcomes[-1].final


def test_another_face_resets_the_count_at_any_time() -> None:
    """A person gains nothing from another person's frame between two frames that count."""
    session, outcomes = judge([of(A), of(A), of(B), of(A)], pause=0.06)
    assert session.context.data["aggregateLiveness"]["frames"] == 1
    assert not outcomes[-1].final


def test_mean_and_spread_are_reported() -> None:
    """Both are in the details."""
    session, _ = judge([live(0.6), live(0.9), live(0.75)])
    assert session.context.data["aggregateLiveness"] == {
        "score": 0.75,
        "spread": 0.3,
        "frames": 3,
    }


def test_agreeing_frames_accept_early() -> None:
    """Four agreeing frames suffice instead of ten."""
    _, outcomes = judge([live()] * 4, 10, early=True)
    assert [outcome.accepted for outcome in outcomes] == [False] * 3 + [True]


def test_agreeing_frames_refuse_early() -> None:
    """Three frames that are not live end the session; without the option it continues."""
    _, outcomes = judge([low(0.1)] * 3, 10, early=True)
    assert (outcomes[-1].final, outcomes[-1].accepted) == (True, False)
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
    assert not judge([low(0.1)] * 3, 10)[1][-1].final


def test_a_failed_frame_is_not_accepted_early() -> None:
    """The frame of the verdict has to pass every check itself, however high the scores are."""
    _, outcomes = judge([live()] * 3 + [live(errors=(Code.GLARE,))], 10, early=True)
    assert not outcomes[-1].final


@pytest.mark.parametrize("scores", [(0.9, 0.9), (0.49, 0.49)])
def test_frames_of_one_person_do_not_count_for_another(scores: tuple[float, ...]) -> None:
    """After two frames of A, good or nearly good, B still needs all frames."""
    _, outcomes = judge([*(of(A, score) for score in scores), *[of(B, 0.55)] * 3])
    assert [outcome.accepted for outcome in outcomes] == [False, False, False, False, True]
    assert outcomes[2].errors == (Code.AGGREGATING,)
    assert not outcomes[2].final  # a change of person does not end the session


def test_a_turning_head_counts_as_one_person() -> None:
    """Faces that FaceMatcher takes for one person count together."""
    turned = np.float32(0.5) * A + np.float32(0.75**0.5) * B
    _, outcomes = judge([of(A), of(turned), of(A)])
    assert outcomes[-1].accepted
    _, outcomes = judge([of(A), of(turned), of(A)], FaceMatcher={"similarity": 0.6})
    assert not outcomes[-1].accepted


def test_small_changes_of_a_face_do_not_add_up() -> None:
    """Each face is compared with the first that counts, not with the previous one."""
    steps = [np.cos(x) * A + np.sin(x) * B for x in np.linspace(0, np.pi / 2, 7, dtype=np.float32)]
    session, outcomes = judge([of(face) for face in steps], 7)
    assert not outcomes[-1].accepted
    assert session.context.data["aggregateLiveness"]["frames"] < 7


def test_the_best_shot_shows_the_person_who_is_accepted() -> None:
    """A better image of A is not in the token for the frames of B."""
    session, outcomes = judge([of(A, 0.99), *[of(B, 0.8)] * 3, of(B, 0.7)], Bestshot=None)
    assert outcomes[3].accepted
    assert session.context.best_seq == 3
    assert outcomes[2].keep


class Objecting(Plugin):
    """Objects to the second frame."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        if frame.seq == 2:
            frame.refuse(1001)


def test_a_restored_best_shot_shows_the_person_who_is_accepted() -> None:
    """If a plugin objects to B's best shot, A's is restored, but only until B has another."""
    objecting = {f"{__name__}:Objecting": None}
    shots = [of(A, 0.8), of(B, 0.9), of(B, 0.7), of(B, 0.75)]
    assert judge(shots[:2], Bestshot=None, **objecting)[0].context.best_seq == 1
    session, outcomes = judge(shots, Bestshot=None, **objecting)
    assert outcomes[-1].accepted
    assert session.context.best_seq == 4


def test_frames_without_a_descriptor_do_not_count_for_a_described_face() -> None:
    """They may show anybody. A backend without descriptors counts them together."""
    _, outcomes = judge([live(), live(), of(A), live(), of(A), of(A), of(A)])
    assert [outcome.accepted for outcome in outcomes] == [False] * 6 + [True]
    assert judge([live()] * 3)[1][-1].accepted


def test_an_early_decision_ignores_votes_for_another_person() -> None:
    """Three votes for A do not count for B; votes against A still count."""
    _, outcomes = judge([*[of(A)] * 3, *[of(B)] * 4], 10, early=True)
    assert [outcome.accepted for outcome in outcomes] == [False] * 6 + [True]
    _, outcomes = judge([*[of(A, 0.1)] * 2, of(B, 0.1)], 10, early=True)
    assert (outcomes[-1].final, outcomes[-1].accepted) == (True, False)
