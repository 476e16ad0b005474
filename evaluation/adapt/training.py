"""Trains a site head and judges it by cross-validation over people.

The head is a regularised logistic regression on the standardised embeddings. Its intercept is then
moved towards the scores of real live frames: recaptures are only simulated and may be easier or
harder to detect than real attacks, while the live frames are those of the place.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.adapt.observing import Observation
from evaluation.samples import LIVE
from inference_pool.onnx.site_head import MAX_LOWERING, MAX_RAISE, HeadErrors
from shared.errors import ResourceError

STRENGTH = 150.0
"""scikit-learn's C, the inverse of the regularisation, for weights whose sum is 2. On a simulated
site (docs/experiments.md) a 30th of it missed more attacks, and 15 times as much refused more
people who were not in training."""
REAL_SHARE = 0.5
"""Weight of the real frames among the live ones; the others were simulated from them."""
FOLDS = 5
"""Groups of people in the cross-validation; fewer with fewer people."""
LIVE_QUANTILE = 0.02
"""Share of the place's live frames that may be refused."""
SHIFT = 0.5
"""Fraction of the shift to that quantile by which the intercept moves. The full shift is too much:
people who were not in training have lower scores than those who were, and the quantile of few
frames is uncertain. With the full shift, one refused frame of 38 cost most of a head's effect."""

Values = NDArray[np.float64]


def _bounded(values: Values) -> Values:
    return np.clip(values, -MAX_LOWERING, MAX_RAISE)


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Weights of a head, as in ``SiteHeadFile``."""

    means: Values
    deviations: Values
    weights: Values
    intercept: float

    def correction(self, features: Values) -> Values:
        """Return the bounded correction of each row of features."""
        return _bounded(self.value(features))

    def value(self, features: Values) -> Values:
        """Return the correction without bounds."""
        return (features - self.means) / self.deviations @ self.weights + self.intercept


@dataclass(frozen=True, slots=True)
class Trained:
    """A head, and the log odds of each observation without a head and by cross-validation.

    The head is trained on all people. ``after`` is by heads trained without the judged person.
    """

    head: LinearHead
    before: Values
    after: Values


def train(observations: Sequence[Observation]) -> Trained:
    """Train a head.

    Raises:
        ResourceError: scikit-learn is not installed, the live frames are of one person, or there
            is no recapture.
    """
    subjects = np.array([one.subject for one in observations])
    live = np.array([one.kind == LIVE for one in observations])
    features = np.stack([one.features for one in observations])
    before = np.array([one.log_odds for one in observations])
    weights = _weights(observations)
    values = np.zeros(len(observations))
    names = np.unique(subjects)
    if len(names) < 2:
        raise ResourceError("--live: found one person; expected at least 2 folders of people")
    if live.all():
        raise ResourceError("--live: no recapture shows a face; give images of larger faces")
    for place in range(min(FOLDS, len(names))):
        apart = np.isin(subjects, names[place::FOLDS])
        head = _fitted(features[~apart], live[~apart], weights[~apart])
        values[apart] = head.value(features[apart])
    shift = _shift(observations, before + _bounded(values), weights)
    head = _fitted(features, live, weights)
    head = replace(head, intercept=head.intercept + shift)
    return Trained(head, before, before + _bounded(values + shift))


def _shift(observations: Sequence[Observation], odds: Values, weights: Values) -> float:
    """Return by how much to move the intercept, given the log odds by cross-validation."""
    real = np.array([one.kind == LIVE and not one.simulated for one in observations])
    order = np.argsort(odds[real])
    shares = np.cumsum(weights[real][order]) / weights[real].sum()
    place = min(int(np.searchsorted(shares, LIVE_QUANTILE)), len(order) - 1)
    return min(MAX_RAISE, -SHIFT * float(odds[real][order][place]))


def _weights(observations: Sequence[Observation]) -> Values:
    """Weigh live frames and attacks alike, the species alike, and the people in each alike."""
    groups = [(one.kind, one.simulated, one.subject) for one in observations]
    sizes = Counter(groups)
    people = Counter((kind, simulated) for kind, simulated, _ in sizes)
    species = len({kind for kind, _ in people} - {LIVE})
    both = len([kind for kind, _ in people if kind == LIVE]) > 1

    def share(kind: str, simulated: bool) -> float:
        if kind != LIVE:
            return 1 / species
        if not both:
            return 1.0
        return 1 - REAL_SHARE if simulated else REAL_SHARE

    return np.array(
        [
            share(kind, simulated) / (people[kind, simulated] * sizes[kind, simulated, subject])
            for kind, simulated, subject in groups
        ]
    )


def _fitted(features: Values, live: NDArray[np.bool_], weights: Values) -> LinearHead:
    means, deviations = features.mean(axis=0), np.maximum(1e-3, features.std(axis=0))
    model = _regression()
    # The sum is always the same, so that more recaptures do not weaken the regularisation.
    shares = weights * 2 / weights.sum()
    model.fit((features - means) / deviations, live, sample_weight=shares)
    intercept = float(model.intercept_[0])
    if not isfinite(intercept):
        raise ResourceError("--live: the training did not converge; give more frames")
    return LinearHead(means, deviations, np.asarray(model.coef_[0], np.float64), intercept)


def _regression() -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ResourceError(
            "scikit-learn is not installed; install the extra open-lunapass[adapt]"
        ) from error
    return LogisticRegression(C=STRENGTH, max_iter=3000)


def head_errors(observations: Sequence[Observation], odds: Values) -> HeadErrors:
    """Return the errors at a score of .5 on real live frames and attacks, people counting alike."""
    weights = _weights(observations)
    kinds = np.array([one.kind for one in observations])
    judged = np.array([one.kind != LIVE or not one.simulated for one in observations])

    def share(kind: str, wrong: NDArray[np.bool_]) -> float:
        own = judged & (kinds == kind)
        return float(weights[own] @ wrong[own] / weights[own].sum())

    species = sorted(set(kinds.tolist()) - {LIVE})
    return HeadErrors(share(LIVE, odds < 0), {name: share(name, odds >= 0) for name in species})
