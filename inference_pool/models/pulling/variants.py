"""Variants of models that run faster, verified to compute the same."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnxruntime

from inference_pool.models.manifest import Rewrite
from inference_pool.models.pulling import prelu, yunet
from shared.errors import ModelError

Floats = npt.NDArray[np.float32]
Shape = list[int | str | None]
Draw = Callable[[list[int], type[np.float32]], Floats]

TOLERANCE = 1e-4
"""Greatest difference of any output before and after a rewrite."""
_REWRITES: dict[Rewrite, Callable[[bytes], bytes]] = {
    "prelu": prelu.rewrite,
    "yunet": yunet.rewrite,
}


def verified_variant(model: bytes, rewrite: Rewrite, name: str) -> bytes:
    """Rewrite a model and verify that the variant computes the same.

    Raises:
        ModelError: an output differs by more than ``TOLERANCE``.
    """
    variant = _REWRITES[rewrite](model)
    difference = greatest_difference(model, variant)
    if not difference <= TOLERANCE:  # true for NaN as well
        raise ModelError(
            f"{name}: the rewrite {rewrite!r} changes an output by {difference:.2e},"
            f" at most {TOLERANCE:.0e} is allowed; use MODELS.rewritePrelu = false"
        )
    return variant


def greatest_difference(before: bytes, after: bytes) -> float:
    """Run both models on uniform (0..1) and normal random input and compare all outputs.

    The difference is absolute; it is NaN if an output has NaN.
    """
    # Those of the original, because a variant may leave them open.
    shapes = [tensor.shape for tensor in _session(before).get_inputs()]
    pairs = zip(_outputs(before, shapes), _outputs(after, shapes), strict=True)
    return float(np.max([np.abs(one - other).max() for one, other in pairs]))


def _session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def _outputs(model: bytes, shapes: list[Shape]) -> list[Floats]:
    session = _session(model)
    random = np.random.default_rng(0)
    draws: list[Draw] = [random.random, random.standard_normal]
    outputs: list[Floats] = []
    for draw in draws:
        feeds = {}
        for tensor, shape in zip(session.get_inputs(), shapes, strict=True):
            # Open dimensions become 1.
            sizes = [size if isinstance(size, int) else 1 for size in shape]
            feeds[tensor.name] = draw(sizes, np.float32)
        outputs.extend(session.run(None, feeds))
    return outputs
