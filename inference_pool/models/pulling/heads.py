"""Rewrite of a detector's many small heads into one for each of the feature maps that they read.

YuNet tells class, object, box and points by heads of their own: a 1x1 convolution to one to ten
channels, a 3x3 convolution of each channel by itself, and a transposition. Runtimes work on eight
channels at a time, so that a head of one channel costs as much as one of eight. Heads of one map
are put beside each other and their result is split; it is the same numbers.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Floats = npt.NDArray[np.float32]
Head = tuple[onnx.NodeProto, onnx.NodeProto, onnx.NodeProto]
"""Its 1x1 convolution, its convolution of each channel by itself, its transposition."""


def rewrite(model: bytes) -> bytes:
    """Merge the heads of each feature map.

    Args:
        model: a serialised ONNX model of an opset below 13, its weights in initialisers.

    Returns:
        The serialised variant; equal input gives equal bytes.
    """
    proto = onnx.load_model_from_string(model)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    for place, heads in _heads(proto.graph, weights).items():
        if len(heads) > 1:
            _replace(proto.graph, heads, _merged(place, heads, weights))
    _hold_what_is_read(proto.graph, weights)
    onnx.checker.check_model(proto)
    variant: bytes = proto.SerializeToString(deterministic=True)
    return variant


def _heads(graph: onnx.GraphProto, weights: dict[str, Floats]) -> dict[str, list[Head]]:
    """Find the heads by the feature map that they read."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    heads: dict[str, list[Head]] = defaultdict(list)
    for narrow in graph.node:
        if not _is_convolution(narrow, weights, size=1):
            continue
        for own in readers[narrow.output[0]]:
            turns = readers[own.output[0]]
            if _is_convolution(own, weights, size=3) and [n.op_type for n in turns] == [
                "Transpose"
            ]:
                heads[narrow.input[0]].append((narrow, own, turns[0]))
    return heads


def _is_convolution(node: onnx.NodeProto, weights: dict[str, Floats], *, size: int) -> bool:
    """Tell a convolution with a bias, across all channels (size 1) or of each by itself (else)."""
    if node.op_type != "Conv" or len(node.input) != 3:
        return False
    channels, inputs, *kernel = weights[node.input[1]].shape
    group = next((item.i for item in node.attribute if item.name == "group"), 1)
    return kernel == [size, size] and (
        group == 1 if size == 1 else (group, inputs) == (channels, 1)
    )


def _merged(place: str, heads: list[Head], weights: dict[str, Floats]) -> list[onnx.NodeProto]:
    """Make one head of several; its weights are added to the others."""
    narrow, own, turned = (f"{place}/{part}" for part in ("narrow", "own", "turned"))
    sizes = [len(weights[head[1].input[1]]) for head in heads]
    first = heads[0]
    return [
        _convolution([head[0] for head in heads], place, narrow, 1, weights),
        _convolution([head[1] for head in heads], narrow, own, sum(sizes), weights),
        _like(first[2], [own], turned),
        helper.make_node(
            "Split",
            [turned],
            [head[2].output[0] for head in heads],
            name=f"{place}/split",
            axis=3,
            split=sizes,
        ),
    ]


def _convolution(
    nodes: list[onnx.NodeProto], place: str, result: str, group: int, weights: dict[str, Floats]
) -> onnx.NodeProto:
    """Put the filters of several convolutions beside each other."""
    names = [f"{result}/weight", f"{result}/bias"]
    for number, name in enumerate(names, 1):
        weights[name] = np.concatenate([weights[node.input[number]] for node in nodes])
    merged = _like(nodes[0], [place, *names], result)
    for attribute in merged.attribute:
        if attribute.name == "group":
            attribute.i = group
    return merged


def _like(node: onnx.NodeProto, inputs: list[str], result: str) -> onnx.NodeProto:
    copied = helper.make_node(node.op_type, inputs, [result], name=result)
    copied.attribute.extend(node.attribute)
    return copied


def _replace(graph: onnx.GraphProto, heads: list[Head], merged: list[onnx.NodeProto]) -> None:
    """Put the merged head where the first of the heads was."""
    gone = {node.output[0] for head in heads for node in head}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.output[0] == heads[0][0].output[0]:
            nodes.extend(merged)
        if node.output[0] not in gone:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _hold_what_is_read(graph: onnx.GraphProto, weights: dict[str, Floats]) -> None:
    read = {name for node in graph.node for name in node.input}
    kept = [numpy_helper.from_array(weights[name], name) for name in weights if name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
