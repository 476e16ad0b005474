"""The head separates recaptures, is evaluated on unseen people, and spares live frames."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation.adapt.training import LinearHead, head_errors, train
from evaluation.samples import LIVE
from inference_pool.onnx.site_head import MAX_LOWERING, MAX_RAISE
from shared.errors import ResourceError
from tests.evaluation.adapt.observed import observed


@pytest.fixture(autouse=True)
def needs_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn (extra adapt) is not installed")


def test_head_lowers_the_errors_of_recaptures_that_the_networks_accept() -> None:
    """The networks take everything for live, but their embeddings separate the classes."""
    observations = observed(8)
    trained = train(observations)
    before, after = (head_errors(observations, odds) for odds in (trained.before, trained.after))
    assert min(before.attacks.values()) > 0.9
    assert max(after.attacks.values()) < 0.2
    assert after.live <= 0.05


def test_training_is_deterministic() -> None:
    """The same data gives the same head."""
    one, other = train(observed(4)), train(observed(4))
    assert one.head.weights.tolist() == other.head.weights.tolist()
    assert one.head.intercept == other.head.intercept


def test_errors_are_of_people_who_were_not_in_training() -> None:
    """If each person's recaptures differ in a direction of their own, nothing transfers."""
    observations = []
    for place, one in enumerate(observed(6, gap=0.0, frames=8)):
        own = np.zeros(6)
        own[int(one.subject.split()[1])] = 8.0 if one.kind == LIVE else -8.0
        noise = 0.01 * np.random.default_rng(place).standard_normal(6)
        observations.append(replace(one, features=own + noise, log_odds=0.1))
    trained = train(observations)
    values = trained.head.value(np.stack([one.features for one in observations]))
    live = np.array([one.kind == LIVE for one in observations])
    assert values[live].min() > values[~live].max()  # people it was trained on
    assert head_errors(observations, trained.after).half_total > 0.3


def test_intercept_moves_towards_the_scores_of_live_frames() -> None:
    """Live frames far above the threshold make the head stricter, refused ones more lenient."""
    high, low = observed(6, log_odds=6.0), observed(6, log_odds=-6.0)
    strict, lenient = train(high), train(low)
    assert np.allclose(strict.head.weights, lenient.head.weights)
    assert strict.head.intercept < lenient.head.intercept - 3
    assert head_errors(high, strict.after).live == 0
    hopeless = [train(observed(6, log_odds=odds)).head.intercept for odds in (-60.0, -600.0)]
    assert hopeless[0] == pytest.approx(hopeless[1])


def test_simulated_live_frames_train_but_do_not_count() -> None:
    """They are harsher than real ones, so they are not part of the error rates."""
    real = observed(6)
    harsh = [
        replace(one, simulated=True, log_odds=one.log_odds - 50) for one in real if one.kind == LIVE
    ]
    trained = train([*real, *harsh])
    assert (
        head_errors([*real, *harsh], trained.before).live
        == head_errors(real, trained.before[: len(real)]).live
    )


def test_people_and_species_have_equal_weight() -> None:
    """A person of many frames does not outweigh the others."""
    few, many = observed(1, frames=1), [*observed(2, frames=10)][60 // 2 :]
    odds = np.array([-1.0] * len(few) + [1.0] * len(many))
    errors = head_errors([*few, *many], odds)
    assert errors.live == pytest.approx(0.5)
    assert errors.attacks == {"print": pytest.approx(0.5), "screen": pytest.approx(0.5)}


def test_correction_is_bounded_as_in_the_service() -> None:
    """Training, check and service judge by the same numbers."""
    head = LinearHead(np.zeros(1), np.ones(1), np.ones(1), 0.0)
    values = head.correction(np.array([[1e9], [-1e9], [0.5]]))
    assert values.tolist() == [MAX_RAISE, -MAX_LOWERING, 0.5]


def test_training_needs_two_people_and_a_recapture() -> None:
    """A second person shows what transfers, and recaptures show what to refuse."""
    with pytest.raises(ResourceError, match="at least 2"):
        train(observed(1))
    with pytest.raises(ResourceError, match="no recapture shows a face"):
        train([one for one in observed(2) if one.kind == LIVE])


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ResourceError, match=r"the extra open-lunapass\[adapt\]"):
        train(observed(2))
