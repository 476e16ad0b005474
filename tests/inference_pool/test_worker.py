"""A worker's estimator after a reload, and what the aggregator accepts of its frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from inference_pool.worker import make_estimator
from shared.config.service import Config
from shared.errors import ModelError
from shared.frame.estimation import Capabilities, Profile
from shared.wire.messages import Open
from tests.inference_pool.recording import RecordingBackend
from tests.support.judge import SESSION, plugin_config, shot

FRAME = np.full((480, 640, 3), 127, np.uint8)
WEAK = Capabilities(passive_liveness=True, descriptor=True, name="weak", needs_actions=True)


def session(config: Config) -> JudgedSession:
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    return JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)


def show(judged: JudgedSession, seq: int, config: Config) -> Outcome:
    """Judge a frame that passed every check of a backend with weak models."""
    estimator = make_estimator(RecordingBackend(capabilities=WEAK), config)
    estimate = replace(estimator.estimate(FRAME, Profile.PASSIVE), pixels=bytes([seq] * 16))
    assert estimate.ok
    outcome = judged.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq))
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("plugins", [{}, {"Bestshot": None, "Result": None}], ids=["none", "usual"])
def test_a_reload_cannot_turn_off_the_actions_of_weak_models(plugins: dict[str, None]) -> None:
    """The worker keeps its estimator, and the aggregator accepts no frame without the actions."""
    acting = plugin_config({**plugins, "ActiveLiveness": None})
    reloaded = plugin_config(dict(plugins))
    with pytest.raises(ModelError, match="ActiveLiveness"):
        make_estimator(RecordingBackend(capabilities=WEAK), reloaded)
    judged = session(reloaded)
    outcomes = [show(judged, seq, acting) for seq in (1, 2)]
    assert [outcome.errors for outcome in outcomes] == [(31,), (31,)]


def test_after_the_actions_weak_models_may_decide() -> None:
    """With a best shot from before the actions, too."""
    acting = plugin_config({"ActiveLiveness": None})
    judged = session(plugin_config({"Bestshot": None, "Result": None}))
    assert not show(judged, 1, acting).accepted
    judged.context.acted = True
    assert show(judged, 2, acting).accepted
    assert judged.context.best_seq == 1
