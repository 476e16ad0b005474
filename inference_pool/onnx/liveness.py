"""Passive liveness by networks that see the face with its surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log

import cv2
import numpy as np

from inference_pool.models.manifest import Kind
from inference_pool.models.session import Floats, ModelSession
from inference_pool.onnx.geometry import fitted, ramp, width_and_height
from inference_pool.onnx.network import Network
from inference_pool.onnx.site_head import SiteHead
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import Box, Image, Liveness


@dataclass(frozen=True)
class LivenessModel:
    """Crop, input and output of a liveness network.

    The wrong channel order lets attacks pass, and the wrong range rejects every live face.

    Attributes:
        size: side of its input in pixels.
        scale: width of its crop in widths of the face box.
        live_class: index of the live class.
        square: its crop is a square of ``scale`` times the longer side of the box, around the face
            even at the frame's border, which is reflected. If false, the crop has the proportions
            of the box and is moved into the frame.
        rgb: it takes RGB instead of BGR.
        factor: by which the pixels 0..255 are multiplied.
    """

    role: str
    size: int
    scale: float
    live_class: int
    square: bool = False
    rgb: bool = False
    factor: float = 1.0


PAIR = (
    LivenessModel("liveness_v2", 80, 2.7, 1),
    LivenessModel("liveness_v1se", 80, 4.0, 1),
)
"""The reference set's: MiniFASNetV2 and V1SE of Silent-Face-Anti-Spoofing (Minivision, 2020)."""
REGISTRY = (LivenessModel("liveness_registry", 128, 2.7, 0),)
"""The fallback set's, weaker alone than the pair."""
THIRD = LivenessModel("liveness_third", 128, 2.0, 0, square=True, rgb=True, factor=1 / 255)
"""Beside the pair, if ``MODELS.thirdLiveness`` is on: MiniFASNetV2-SE of facenox."""


def liveness_models(kind: Kind, *, third: bool = False) -> tuple[LivenessModel, ...]:
    """Return the liveness networks of a set of models; only the reference set has a third one.

    Raises:
        ModelError: a third network is wanted, but the set has none.
    """
    if third and kind is Kind.FALLBACK:
        raise ModelError("MODELS.thirdLiveness: the fallback set has no third network; turn it off")
    if kind is Kind.FALLBACK:
        return REGISTRY
    return (*PAIR, THIRD) if third else PAIR


MAX_LOG_ODDS = log((1 - 1e-4) / 1e-4)
"""Bound on the absolute log odds of one network (probabilities of 0.0001 and 0.9999). Values beyond
it carry no information, and without it one confident network outvotes the other by any margin.
Source: the fusions compared in docs/estimation.md."""
_NO_EMBEDDING: Floats = np.empty(0, np.float32)
TIGHT, ROOMY = 1.0, 2.0
"""Room around the face (largest crop over box) at which the quality score is 0 and 1."""
COARSE, FINE = 40.0, 120.0
"""Shorter side of the face box in pixels at which the quality score is 0 and 1."""


@dataclass(frozen=True, slots=True)
class NetworkJudgement:
    """Bounded log odds of a live face, and the values before the last layer, if it outputs them."""

    log_odds: float
    embedding: Floats


class PassiveLiveness:
    """Networks that judge the face and its surroundings, fused to one score.

    The score is the sigmoid of the mean of the networks' log odds. With two networks it is 0.5
    where their probabilities add up to 1, so the same frames reach a threshold of 0.5 as with the
    mean of the probabilities. At other thresholds it ranks frames better (docs/estimation.md).

    A site head corrects the mean by the networks' embeddings before the sigmoid. The sessions, in
    the order of the models, must then output embeddings.
    """

    def __init__(
        self,
        models: Sequence[LivenessModel],
        sessions: Sequence[ModelSession],
        head: SiteHead | None = None,
    ) -> None:
        self._networks = [
            _LivenessNetwork(model, session)
            for model, session in zip(models, sessions, strict=True)
        ]
        self._head = head

    def measure(self, image: Image, box: Box) -> Liveness:
        """Measure the liveness of a face in its frame.

        Raises:
            EstimationError: a network returned NaN or infinity.
        """
        judgements = self.judge(image, box)
        odds = mean_log_odds(judgements)
        if self._head is not None:
            odds += self._head.correction([one.embedding for one in judgements])
        return Liveness(score=1 / (1 + exp(-odds)), quality_score=_quality_score(image, box))

    def judge(self, image: Image, box: Box) -> list[NetworkJudgement]:
        """Return what each network says of a face in its frame.

        Raises:
            EstimationError: a network returned NaN or infinity.
        """
        return [network.judge(image, box) for network in self._networks]


def mean_log_odds(judgements: Sequence[NetworkJudgement]) -> float:
    """Mean of the networks' bounded log odds."""
    return sum(one.log_odds for one in judgements) / len(judgements)


class _LivenessNetwork:
    def __init__(self, model: LivenessModel, session: ModelSession) -> None:
        self._model = model
        self._network = Network(
            session, (model.size, model.size), rgb=model.rgb, scale=model.factor
        )
        self._crop: Image = np.empty((model.size, model.size, 3), np.uint8)

    def judge(self, image: Image, box: Box) -> NetworkJudgement:
        if self._model.square:
            crop = _square(image, box, self._model.scale, self._crop)
        else:
            left, top, right, bottom = _surroundings(image, box, self._model.scale)
            crop = fitted(image[top:bottom, left:right], self._crop)
        logits, *embedding = self._network.run(crop)
        odds = _log_odds(logits[0].tolist(), self._model.live_class)
        return NetworkJudgement(odds, embedding[0][0] if embedding else _NO_EMBEDDING)


def _room(image: Image, box: Box) -> float:
    """Largest scale at which the crop fits into the frame."""
    width, height = width_and_height(image)
    return min(width / max(1, box.width), height / max(1, box.height))


def _surroundings(image: Image, box: Box, scale: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the scaled box, moved and limited to the frame."""
    width, height = width_and_height(image)
    scale = min(scale, _room(image, box))
    crop_width = max(1, min(width, round(box.width * scale)))
    crop_height = max(1, min(height, round(box.height * scale)))
    left = round(box.x + (box.width - crop_width) / 2)
    top = round(box.y + (box.height - crop_height) / 2)
    left = min(max(0, left), width - crop_width)
    top = min(max(0, top), height - crop_height)
    return left, top, left + crop_width, top + crop_height


def _square(image: Image, box: Box, scale: float, out: Image) -> Image:
    """Scale a square around the box to ``out``; outside of the frame its border is reflected.

    The part inside is scaled first, so that a face that fills the frame costs no larger copy.

    Raises:
        EstimationError: the square is outside of the frame.
    """
    side = scale * max(box.width, box.height)
    width, height = width_and_height(image)
    left, top = box.x + (box.width - side) / 2, box.y + (box.height - side) / 2
    across = max(0, round(left)), min(width, round(left + side))
    down = max(0, round(top)), min(height, round(top + side))
    if across[0] >= across[1] or down[0] >= down[1]:
        raise EstimationError("the face is outside of the image")
    inside = image[down[0] : down[1], across[0] : across[1]]
    size = out.shape[0]
    columns, rows = _places(across, left, side, size), _places(down, top, side, size)
    part = np.empty((rows[1] - rows[0], columns[1] - columns[0], 3), np.uint8)
    borders = rows[0], size - rows[1], columns[0], size - columns[1]
    cv2.copyMakeBorder(fitted(inside, part), *borders, cv2.BORDER_REFLECT_101, dst=out)
    return out


def _places(ends: tuple[int, int], start: float, side: float, size: int) -> tuple[int, int]:
    """Return where the part of a square's side that is inside lies in the scaled crop."""
    low, high = (min(size, max(0, round((end - start) * size / side))) for end in ends)
    return (low, high) if low < high else (min(low, size - 1), min(low, size - 1) + 1)


def _quality_score(image: Image, box: Box) -> float:
    """Quality score: how much room is around the face, and how many pixels the face has."""
    roomy = ramp(_room(image, box), TIGHT, ROOMY)
    fine = ramp(min(box.width, box.height), COARSE, FINE)
    return min(roomy, fine)


def _log_odds(logits: Sequence[float], of: int) -> float:
    """Bounded log odds of the softmax probability of one class."""
    if not all(map(isfinite, logits)):  # a comparison with NaN would accept the frame
        raise EstimationError("a liveness model returned NaN or infinity")
    others = [logit for index, logit in enumerate(logits) if index != of]
    greatest = max(others)
    odds = logits[of] - greatest - log(sum(exp(logit - greatest) for logit in others))
    return min(MAX_LOG_ODDS, max(-MAX_LOG_ODDS, odds))
