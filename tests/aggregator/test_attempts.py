"""The bound on refusals for low liveness: so many tries at one lucky frame, and no more."""

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
    """A frame refused for its liveness score; equal numbers, equal pixels."""
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
def test_the_last_refusal_ends_the_session(limits: dict[str, int], tries: int) -> None:
    """Without success, by the frame's own code and 73."""
    outcomes = play([low(n) for n in range(60)], LIMITS=limits)
    assert [outcome.errors for outcome in outcomes[:-1]] == [(Code.LOW_LIVENESS,)] * (tries - 1)
    last = outcomes[-1]
    assert (last.final, last.accepted) == (True, False)
    assert last.errors == (Code.LOW_LIVENESS, Code.TOO_MANY_REFUSALS)


def test_zero_allows_any_number() -> None:
    """Then only the other bounds count."""
    assert len(play([low(n) for n in range(60)], LIMITS={"livenessRefusals": 0})) == 60


def test_one_refusal_less_is_forgiven() -> None:
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
def test_what_is_no_refusal_does_not_count(harmless: Estimate) -> None:
    """A person who stands badly or acts, and a frame that was counted already."""
    tries = [low(n) for n in range(1, DEFAULT)]
    outcomes = play([frame for one in tries for frame in (one, harmless)])
    assert len(outcomes) == 2 * len(tries)
    assert not outcomes[-1].final


def test_poor_quality_hides_no_refusal() -> None:
    """Else an attacker would search where the quality is too low, and raise it at the end."""
    codes = (Code.LOW_LIVENESS, Code.LOW_LIVENESS_QUALITY)
    outcomes = play([low(n, errors=codes) for n in range(60)])
    assert outcomes[-1].errors == (*codes, Code.TOO_MANY_REFUSALS)
    assert len(outcomes) == DEFAULT


def test_a_mean_that_is_too_low_is_no_refusal_of_the_frame() -> None:
    """AggregateLiveness refuses a good frame for those before it, which have counted."""
    plugins = {"AggregateLiveness": {"framesCount": 1000}}
    frames = [frame for n in range(1, DEFAULT) for frame in (low(n), live())]
    outcomes = play(frames, plugins)
    assert len(outcomes) == len(frames)
    assert not outcomes[-1].final


def test_the_manuals_bounds_stand_beside_it() -> None:
    """Whichever comes first ends the session, with what it has."""
    outcomes = play([low(n) for n in range(60)], LIVENESS={"maxLivenessAttempts": 4})
    assert len(outcomes) == 4
    assert outcomes[-1].errors == (Code.LOW_LIVENESS,)
