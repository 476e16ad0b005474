"""AggregateLiveness: the mean of the last scores decides."""

from __future__ import annotations

import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import Outcome, Session
from shared.codes import Code
from shared.estimation import Estimate, Liveness, Profile, Stage
from shared.messages import Open
from tests.support.judge import SESSION, live, plugin_config


def judge(
    estimates: list[Estimate], frames: int = 3, *, early: bool = False
) -> tuple[Session, list[Outcome]]:
    arguments = {"framesCount": frames, "earlyDecision": early}
    config = plugin_config({"AggregateLiveness": arguments})
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = Session(opened, Registry(config).plugins(), config.LIVENESS)
    outcomes = []
    for seq, estimate in enumerate(estimates, 1):
        outcome = session.fold(seq, 1000.0 + seq, estimate, b"jpeg", replay=False)
        assert isinstance(outcome, Outcome)
        outcomes.append(outcome)
    return session, outcomes


def low(score: float) -> Estimate:
    return live(score, errors=(Code.LOW_LIVENESS,))


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_it_waits_for_enough_frames(frames: int) -> None:
    """Code 37 until framesCount scores are there; the last of them decides."""
    _, outcomes = judge([live()] * frames, frames)
    assert [outcome.errors for outcome in outcomes[:-1]] == [(Code.AGGREGATING,)] * (frames - 1)
    assert outcomes[-1].accepted


def test_one_lucky_frame_among_poor_ones_is_not_enough() -> None:
    """Frames that failed by their own score count in the mean."""
    _, outcomes = judge([low(0.1), low(0.1), live(0.9)])
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
    assert not outcomes[-1].final


def test_only_the_last_frames_count() -> None:
    """Poor scores of long ago are forgotten; equality with the threshold passes."""
    _, outcomes = judge([low(0.0), low(0.0), live(0.5), live(0.5), live(0.5)])
    assert [outcome.accepted for outcome in outcomes] == [False] * 4 + [True]


def test_frames_that_measure_nothing_do_not_count() -> None:
    """Blurred ones, unfit ones and those of an action."""
    blurred = live(errors=(3,), liveness=None)
    unfit = live(liveness=Liveness(0.99, 0.1), errors=(Code.LOW_LIVENESS_QUALITY,))
    acting = live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None)
    session, outcomes = judge([live(), blurred, unfit, acting, live()])
    assert not outcomes[-1].final
    assert session.context.data["aggregateLiveness"]["frames"] == 2


def test_mean_and_spread_are_told() -> None:
    """Both are in the details."""
    session, _ = judge([live(0.6), live(0.9), live(0.75)])
    assert session.context.data["aggregateLiveness"] == {
        "score": 0.75,
        "spread": 0.3,
        "frames": 3,
    }


def test_early_decision_for_the_person() -> None:
    """Four agreeing frames do instead of ten."""
    _, outcomes = judge([live()] * 4, 10, early=True)
    assert [outcome.accepted for outcome in outcomes] == [False] * 3 + [True]


def test_early_decision_against() -> None:
    """Three frames that are not live end the session; without the option it goes on."""
    _, outcomes = judge([low(0.1)] * 3, 10, early=True)
    assert (outcomes[-1].final, outcomes[-1].accepted) == (True, False)
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
    assert not judge([low(0.1)] * 3, 10)[1][-1].final


def test_no_early_decision_on_a_frame_that_fails() -> None:
    """However sure the liveness is, the frame of the verdict has to pass every check itself."""
    _, outcomes = judge([live()] * 3 + [live(errors=(Code.GLARE,))], 10, early=True)
    assert not outcomes[-1].final
