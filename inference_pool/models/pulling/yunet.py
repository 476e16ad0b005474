"""Rewrite of YuNet that merges its small heads and lets it take images of any size.

It has separate heads for class, object, box and points: a 1x1 convolution to one to ten
channels, a 3x3 depthwise convolution, and a transposition. Runtimes process eight channels at a
time, so a head of one channel costs as much as one of eight. The heads of one feature map are
concatenated and their result is split; the numbers are the same.

Height and width of the input become open, so that one network runs at several sizes. YuNet's other
operators already depend on the size of what they get.
"""

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Floats = npt.NDArray[np.float32]
Head = tuple[onnx.NodeProto, onnx.NodeProto, onnx.NodeProto]
"""Its 1x1 convolution, depthwise convolution and transposition."""


def rewrite(model: bytes) -> bytes:
    """Merge the heads of each feature map and open the size; equal input gives equal bytes.

    The model has an opset below 13, and its weights in initialisers.
    """
    proto = onnx.load_model_from_string(model)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    for feature_map, heads in _heads(proto.graph, weights).items():
        if len(heads) > 1:
            _replace(proto.graph, heads, _merged(feature_map, heads, weights))
    _store_used_weights(proto.graph, weights)
    _open_size(proto.graph)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def _heads(graph: onnx.GraphProto, weights: dict[str, Floats]) -> dict[str, list[Head]]:
    """Find the heads, by the feature map that they read."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    heads: dict[str, list[Head]] = defaultdict(list)
    for pointwise in graph.node:
        if not _is_convolution(pointwise, weights, size=1):
            continue
        for depthwise in readers[pointwise.output[0]]:
            next_nodes = readers[depthwise.output[0]]
            operators = [node.op_type for node in next_nodes]
            if _is_convolution(depthwise, weights, size=3) and operators == ["Transpose"]:
                heads[pointwise.input[0]].append((pointwise, depthwise, next_nodes[0]))
    return heads


def _is_convolution(node: onnx.NodeProto, weights: dict[str, Floats], *, size: int) -> bool:
    """Return whether a node is a convolution with bias: dense for size 1, else depthwise."""
    if node.op_type != "Conv" or len(node.input) != 3:
        return False
    channels, inputs, *kernel = weights[node.input[1]].shape
    group = next((item.i for item in node.attribute if item.name == "group"), 1)
    return kernel == [size, size] and (
        group == 1 if size == 1 else (group, inputs) == (channels, 1)
    )


def _merged(
    feature_map: str, heads: list[Head], weights: dict[str, Floats]
) -> list[onnx.NodeProto]:
    """Merge several heads; add the merged weights to ``weights``.

    The names of nodes are part of the bytes that the manifest pins.
    """
    narrow, own, turned = (f"{feature_map}/{part}" for part in ("narrow", "own", "turned"))
    sizes = [len(weights[head[1].input[1]]) for head in heads]
    first = heads[0]
    return [
        _convolution([head[0] for head in heads], feature_map, narrow, 1, weights),
        _convolution([head[1] for head in heads], narrow, own, sum(sizes), weights),
        _like(first[2], [own], turned),
        helper.make_node(
            "Split",
            [turned],
            [head[2].output[0] for head in heads],
            name=f"{feature_map}/split",
            axis=3,
            split=sizes,
        ),
    ]


def _convolution(
    nodes: list[onnx.NodeProto], source: str, result: str, group: int, weights: dict[str, Floats]
) -> onnx.NodeProto:
    """Concatenate the filters of several convolutions."""
    names = [f"{result}/weight", f"{result}/bias"]
    for number, name in enumerate(names, 1):
        weights[name] = np.concatenate([weights[node.input[number]] for node in nodes])
    merged = _like(nodes[0], [source, *names], result)
    for attribute in merged.attribute:
        if attribute.name == "group":
            attribute.i = group
    return merged


def _like(node: onnx.NodeProto, inputs: list[str], result: str) -> onnx.NodeProto:
    copied = helper.make_node(node.op_type, inputs, [result], name=result)
    copied.attribute.extend(node.attribute)
    return copied


def _replace(graph: onnx.GraphProto, heads: list[Head], merged: list[onnx.NodeProto]) -> None:
    """Replace the heads with the merged one, at the position of the first."""
    replaced = {node.output[0] for head in heads for node in head}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.output[0] == heads[0][0].output[0]:
            nodes.extend(merged)
        if node.output[0] not in replaced:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _store_used_weights(graph: onnx.GraphProto, weights: dict[str, Floats]) -> None:
    inputs = {name for node in graph.node for name in node.input}
    used = [numpy_helper.from_array(weights[name], name) for name in weights if name in inputs]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _open_size(graph: onnx.GraphProto) -> None:
    """Name height and width of the input; open the dimensions that follow from them."""
    height, width = graph.input[0].type.tensor_type.shape.dim[2:]
    height.dim_param, width.dim_param = "height", "width"
    del graph.value_info[:]
    for result in graph.output:  # first the batch, last the channels
        for dimension in result.type.tensor_type.shape.dim[1:-1]:
            dimension.Clear()
