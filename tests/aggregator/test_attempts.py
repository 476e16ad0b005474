"""``livenessRefusals``: the limit on frames of a session that are refused for low liveness."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.frame.estimation import Estimate, Liveness, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

DEFAULT = 15


def low(number: int, **changes: Any) -> Estimate:
    """A frame refused for its liveness score; equal numbers mean equal pixels."""
    liveness = Liveness(0.04, 1.0)
    values = {"errors": (Code.LOW_LIVENESS,), "liveness": liveness, "pixels": number.to_bytes(16)}
    return live(**{**values, **changes})


def play(
    estimates: list[Estimate], plugins: dict[str, Any] | None = None, **sections: Any
) -> list[Outcome]:
    """Show frames until the session ends."""
    config = plugin_config(plugins or {}, **sections)
    registry = Registry(config)
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(
        opened, registry.plugins(), config.LIVENESS, registry.policy, config.LIMITS
    )
    outcomes = []
    for seq, estimate in enumerate(estimates, 1):
        outcome = session.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq))
        assert isinstance(outcome, Outcome)
        outcomes.append(outcome)
        if outcome.final:
            break
    return outcomes


@pytest.mark.parametrize(
    ("limits", "tries"), [({}, DEFAULT), ({"livenessRefusals": 3}, 3), ({"livenessRefusals": 1}, 1)]
)
def test_the_last_allowed_refusal_ends_the_session(limits: dict[str, int], tries: int) -> None:
    """The session fails with the frame's own code and code 73."""
    outcomes = play([low(n) for n in range(60)], LIMITS=limits)
    assert [outcome.errors for outcome in outcomes[:-1]] == [(Code.LOW_LIVENESS,)] * (tries - 1)
    last = outcomes[-1]
    assert (last.final, last.accepted) == (True, False)
    assert last.errors == (Code.LOW_LIVENESS, Code.TOO_MANY_REFUSALS)


def test_zero_turns_the_limit_off() -> None:
    """Only the other limits apply then."""
    assert len(play([low(n) for n in range(60)], LIMITS={"livenessRefusals": 0})) == 60


def test_one_refusal_below_the_limit_does_not_end_the_session() -> None:
    """The next frame may still be accepted."""
    outcomes = play([*(low(n) for n in range(DEFAULT - 1)), live()])
    assert outcomes[-1].accepted


@pytest.mark.parametrize(
    "harmless",
    [
        low(1),
        low(1, errors=(Code.LOW_LIVENESS_QUALITY,), liveness=Liveness(0.9, 0.2), pixels=None),
        low(1, errors=(Code.LIVENESS_FAILED,), liveness=None, pixels=None),
        low(1, errors=(Code.BLURRED,), stage=Stage.QUALITY, liveness=None, pixels=None),
        live(profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None),
    ],
    ids=["a copy", "poor quality", "a failed estimator", "an earlier check", "an action"],
)
def test_other_failures_do_not_count(harmless: Estimate) -> None:
    """Poor frames, actions, and copies of counted frames are no liveness refusals."""
    tries = [low(n) for n in range(1, DEFAULT)]
    outcomes = play([frame for one in tries for frame in (one, harmless)])
    assert len(outcomes) == 2 * len(tries)
    assert not outcomes[-1].final


def test_a_liveness_refusal_with_poor_quality_counts() -> None:
    """Otherwise attackers could search with poor images for free and improve only the best one."""
    codes = (Code.LOW_LIVENESS, Code.LOW_LIVENESS_QUALITY)
    outcomes = play([low(n, errors=codes) for n in range(60)])
    assert outcomes[-1].errors == (*codes, Code.TOO_MANY_REFUSALS)
    assert len(outcomes) == DEFAULT


def test_a_frame_refused_for_the_mean_alone_does_not_count() -> None:
    """AggregateLiveness refuses a good frame because of earlier ones, which counted already."""
    plugins = {"AggregateLiveness": {"framesCount": 1000}}
    frames = [frame for n in range(1, DEFAULT) for frame in (low(n), live())]
    outcomes = play(frames, plugins)
    assert len(outcomes) == len(frames)
    assert not outcomes[-1].final


def test_the_limits_of_luna_pass_still_apply() -> None:
    """The limit that is reached first ends the session with the current codes."""
    outcomes = play([low(n) for n in range(60)], LIVENESS={"maxLivenessAttempts": 4})
    assert len(outcomes) == 4
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
