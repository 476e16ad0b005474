"""Rewrite of PReLU into plain operators, for runtimes whose own PReLU is slow.

The ``PRelu`` of onnxruntime's CPU provider became slow after 1.26 and the face networks are made of
it: they take two to three times as long. ``Relu``, ``Sub``, ``Mul`` and ``Add`` are vectorised. The
results are the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

from shared.errors import ModelError

Floats = npt.NDArray[np.float32]
Draw = Callable[[list[int], type[np.float32]], Floats]

TOLERANCE = 1e-4
"""Greatest difference of any output before and after the rewrite."""


def rewrite(model: bytes) -> bytes:
    """Replace each ``PRelu(x, slope)`` by ``Relu(x) + slope * (x - Relu(x))``.

    Args:
        model: a serialised ONNX model.

    Returns:
        The serialised variant; equal input gives equal bytes.
    """
    proto = onnx.load_model_from_string(model)
    nodes: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        nodes.extend(_unfolded(node) if node.op_type == "PRelu" else [node])
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.checker.check_model(proto)
    variant: bytes = proto.SerializeToString(deterministic=True)
    return variant


def _unfolded(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    x, slope = node.input
    (result,) = node.output
    positive, negative, scaled = (f"{result}/{part}" for part in ("positive", "negative", "scaled"))
    return [
        helper.make_node("Relu", [x], [positive], name=positive),
        helper.make_node("Sub", [x, positive], [negative], name=negative),
        helper.make_node("Mul", [negative, slope], [scaled], name=scaled),
        helper.make_node("Add", [positive, scaled], [result], name=f"{result}/sum"),
    ]


def greatest_difference(before: bytes, after: bytes, *, seed: int = 0) -> float:
    """Run both models on random input, from 0..1 and of both signs, and compare all outputs.

    Args:
        before: the original model, serialised.
        after: the variant, serialised.
        seed: of the random input.

    Returns:
        The greatest absolute difference of any output value.
    """
    pairs = zip(_outputs(before, seed), _outputs(after, seed), strict=True)
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def _outputs(model: bytes, seed: int) -> list[Floats]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(seed)
    draws: list[Draw] = [random.random, random.standard_normal]
    outputs: list[Floats] = []
    for draw in draws:
        feeds = {
            tensor.name: draw(_fixed(tensor.shape), np.float32) for tensor in session.get_inputs()
        }
        outputs.extend(session.run(None, feeds))
    return outputs


def _fixed(shape: list[int | str | None]) -> list[int]:
    """Take 1 for a size that the model leaves open."""
    return [size if isinstance(size, int) else 1 for size in shape]


def verified_variant(model: bytes, name: str) -> bytes:
    """Rewrite a model and prove that the variant computes the same.

    Args:
        model: a serialised ONNX model.
        name: file name, for the error.

    Returns:
        The serialised variant.

    Raises:
        ModelError: an output differs by more than ``TOLERANCE``.
    """
    variant = rewrite(model)
    difference = greatest_difference(model, variant)
    if difference > TOLERANCE:
        raise ModelError(
            f"{name}: PReLU rewrite changes an output by {difference:.2e},"
            f" at most {TOLERANCE:.0e} is allowed; use MODELS.rewritePrelu = false"
        )
    return variant
