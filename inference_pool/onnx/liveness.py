"""Passive liveness by the MiniFASNet pair of Silent-Face-Anti-Spoofing (Minivision, 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, log

import numpy as np

from inference_pool.models.session import ModelSession
from inference_pool.onnx.geometry import fitted, ramp, width_and_height
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.frame.estimation import Box, Image, Liveness

SIZE = 80
SCALES = {"liveness_v2": 2.7, "liveness_v1se": 4.0}
"""Width of each network's crop over the width of the face box."""
LIVE_CLASS = 1
MAX_LOG_ODDS = log((1 - 1e-4) / 1e-4)
"""Bound on one network's log odds of a live face, either way (a probability of .0001 or .9999).
Beyond it the networks' figures mean nothing, and without it one sure network outvotes the other by
any margin. Source: the fusions that docs/estimation.md compares."""
TIGHT, ROOMY = 1.0, 2.0
"""Room about the face (crop over box) at which the quality score is 0 and 1."""
COARSE, FINE = 40.0, 120.0
"""Shorter side of the face box in pixels at which the quality score is 0 and 1."""


class MiniFasNets:
    """Two networks that judge the face with its surroundings, and one score of both.

    The score is the probability that belongs to the mean of the networks' log odds. It is .5 where
    the networks contradict each other with equal odds, that is where their probabilities add up to
    1: so the same frames reach a threshold of .5 as with the mean of the probabilities. At
    other values it ranks frames better (docs/estimation.md).

    Both want **BGR in 0..255**: RGB lets attacks pass and 0..1 rejects every live face.

    Args:
        v2: session of MiniFASNetV2, crop scale 2.7.
        v1se: session of MiniFASNetV1SE, crop scale 4.
    """

    def __init__(self, v2: ModelSession, v1se: ModelSession) -> None:
        self._networks = [
            (Network(session, (SIZE, SIZE), rgb=False), scale)
            for session, scale in zip((v2, v1se), SCALES.values(), strict=True)
        ]
        self._crop: Image = np.empty((SIZE, SIZE, 3), np.uint8)

    def measure(self, image: Image, box: Box) -> Liveness:
        """Measure the liveness of a face in its frame.

        Raises:
            EstimationError: a network answers no numbers.
        """
        odds = [self._log_odds(network, image, box, scale) for network, scale in self._networks]
        score = 1 / (1 + exp(-sum(odds) / len(odds)))
        return Liveness(score=score, quality_score=_fitness(image, box))

    def _log_odds(self, network: Network, image: Image, box: Box, scale: float) -> float:
        left, top, right, bottom = _surroundings(image, box, scale)
        crop = fitted(image[top:bottom, left:right], self._crop)
        return _log_odds(network.run(crop)[0][0].tolist(), LIVE_CLASS)


def _room(image: Image, box: Box) -> float:
    """Largest scale at which the crop still fits into the frame."""
    width, height = width_and_height(image)
    return min(width / max(1, box.width), height / max(1, box.height))


def _surroundings(image: Image, box: Box, scale: float) -> tuple[int, int, int, int]:
    """Scale the box about its centre, no further than fits, and shift it into the frame.

    Returns:
        Left, top, right and bottom in pixels.
    """
    width, height = width_and_height(image)
    scale = min(scale, _room(image, box))
    crop_width = max(1, min(width, round(box.width * scale)))
    crop_height = max(1, min(height, round(box.height * scale)))
    left = round(box.x + (box.width - crop_width) / 2)
    top = round(box.y + (box.height - crop_height) / 2)
    left = min(max(0, left), width - crop_width)
    top = min(max(0, top), height - crop_height)
    return left, top, left + crop_width, top + crop_height


def _fitness(image: Image, box: Box) -> float:
    """Fitness of the frame for this judgement: room about the face, and pixels of the face."""
    roomy = ramp(_room(image, box), TIGHT, ROOMY)
    fine = ramp(min(box.width, box.height), COARSE, FINE)
    return min(roomy, fine)


def _log_odds(logits: Sequence[float], of: int) -> float:
    """Log odds of one class against all others (those of its softmax probability), bounded."""
    if not all(map(isfinite, logits)):  # a comparison with NaN lets everything pass
        raise EstimationError("a liveness model answers no numbers")
    others = [logit for index, logit in enumerate(logits) if index != of]
    greatest = max(others)
    odds = logits[of] - greatest - log(sum(exp(logit - greatest) for logit in others))
    return min(MAX_LOG_ODDS, max(-MAX_LOG_ODDS, odds))
