"""Converter from TensorFlow.js graph models to ONNX, for the operators of small face networks.

A graph model is a JSON topology of TensorFlow nodes and one binary file of weights. TensorFlow
computes in NHWC. The ONNX graph computes in NCHW from its input on, and converts to NHWC only where
a tensor is reshaped, because a reshape depends on the order of the values.

Equal input gives equal bytes, so the result can be pinned by its hash.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.errors import ModelError

OPSET = 13
IR_VERSION = 8

Array = npt.NDArray[Any]
Node = dict[str, Any]

_DAMAGE = (
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    CycleError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)
"""Exceptions that a damaged graph causes, here or in the checks of ONNX."""
_AXES = {0: 0, 1: 2, 2: 3, 3: 1, -1: 1}
"""Axis of NHWC -> axis of NCHW."""


def convert(topology: bytes, weights: bytes, outputs: Mapping[str, str]) -> bytes:
    """Convert a TensorFlow.js graph model, its JSON file and its one weights file, to ONNX.

    ``outputs`` has the name of each output and of the TensorFlow node that computes it, in order.
    Nodes that no output needs are omitted.

    Returns:
        The serialised ONNX model, with an NCHW input ``input`` of batch 1. An output that comes
        directly from a convolution is NCHW.

    Raises:
        ModelError: the graph is damaged, or has an operator or attribute that is not supported.
    """
    try:
        document = json.loads(topology)
        graph = _Graph(_read_weights(document["weightsManifest"], weights))
        nodes = {node["name"]: node for node in document["modelTopology"]["node"]}
        for name in _order(nodes, outputs.values()):
            graph.add(nodes[name])
        return graph.finish(outputs)
    except _DAMAGE as error:
        raise ModelError(f"TensorFlow.js model: damaged graph: {error!r}") from error


def _read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, Array]:
    """Split the weights file into arrays; widen float16 and refuse other quantisation."""
    arrays: dict[str, Array] = {}
    offset = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        quantization = entry.get("quantization", {})
        stored = np.dtype(quantization.get("dtype", entry["dtype"]))
        if stored not in (np.dtype("float32"), np.dtype("float16"), np.dtype("int32")):
            raise ModelError(f"TensorFlow.js model: weights of type {stored} are not supported")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(data, stored.newbyteorder("<"), count, offset)
        arrays[entry["name"]] = array.reshape(entry["shape"]).astype(entry["dtype"])
        offset += count * stored.itemsize
    if offset != len(data):
        raise ValueError(f"{len(data)} bytes of weights, {offset} described")
    return arrays


def _order(nodes: Mapping[str, Node], wanted: Any) -> list[str]:
    """List the wanted nodes and all that they depend on, each after its inputs."""
    needs: dict[str, list[str]] = {}
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needs:
            needs[name] = [source.split(":")[0] for source in nodes[name].get("input", [])]
            waiting.extend(needs[name])
    return list(TopologicalSorter(needs).static_order())


@dataclass
class _Graph:
    """Builds the ONNX graph, one TensorFlow node at a time."""

    weights: dict[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    tensors: dict[str, str] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Translate one node whose inputs are already translated."""
        operator = node["op"]
        if operator not in _TRANSLATE:
            raise ModelError(f"TensorFlow.js model: operator {operator} is not supported")
        self.tensors[node["name"]] = _TRANSLATE[operator](self, node)

    def finish(self, outputs: Mapping[str, str]) -> bytes:
        """Name the outputs and serialise."""
        results = []
        for name, source in outputs.items():
            self.nodes.append(helper.make_node("Identity", [self.tensors[source]], [name]))
            results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        graph = helper.make_graph(self.nodes, "tfjs", self.inputs, results, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        del model.graph.value_info[:]
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def emit(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Append an ONNX node and return the name of its output."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, value: Array) -> str:
        """Append a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def source(self, node: Node, index: int) -> str:
        """Return the tensor that is a node's input."""
        return self.tensors[_input(node, index)]

    def weight(self, node: Node, index: int) -> Array:
        """Return the constant that is a node's input."""
        return self.weights[_input(node, index)]


def _input(node: Node, index: int) -> str:
    return str(node["input"][index].split(":")[0])


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def _spatial(node: Node, attribute: str) -> list[int]:
    """Return height and width of a per-axis attribute."""
    values = [int(value) for value in node["attr"][attribute]["list"]["i"]]
    return values[1:3]


def _padding(node: Node) -> str:
    padding = _text(node["attr"]["padding"]["s"])
    allowed = {"SAME": "SAME_UPPER", "VALID": "VALID"}
    if padding not in allowed:
        raise ModelError(f"TensorFlow.js model: padding {padding} is not supported")
    return allowed[padding]


def _placeholder(graph: _Graph, node: Node) -> str:
    sizes = [int(dim["size"]) for dim in node["attr"]["shape"]["shape"]["dim"]]
    _, height, width, channels = sizes
    shape = [1, channels, height, width]
    graph.inputs.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, shape))
    return "input"


def _const(graph: _Graph, node: Node) -> str:
    """Only check that it exists: each node that uses a constant needs its own layout of it."""
    name: str = node["name"]
    graph.weights[name]
    return name


def _convolution(graph: _Graph, node: Node, kernel: Array, group: int, bias: Array | None) -> str:
    name = node["name"]
    inputs = [graph.source(node, 0), graph.constant(f"{name}/kernel", kernel)]
    if bias is not None:
        inputs.append(graph.constant(f"{name}/bias", bias))
    return graph.emit(
        "Conv",
        inputs,
        f"{name}/conv",
        auto_pad=_padding(node),
        strides=_spatial(node, "strides"),
        dilations=_spatial(node, "dilations"),
        group=group,
    )


def _fused_convolution(graph: _Graph, node: Node) -> str:
    """A convolution with bias and optionally an activation."""
    fused = [_text(name) for name in node["attr"]["fused_ops"]["list"]["s"]]
    if fused[0] != "BiasAdd":
        raise ModelError(f"TensorFlow.js model: convolution fused with {fused} is not supported")
    kernel = graph.weight(node, 1).transpose(3, 2, 0, 1)  # height, width, in, out
    result = _convolution(graph, node, kernel, 1, graph.weight(node, 2))
    if len(fused) == 1:
        return result
    if fused[1] == "Prelu":
        return _sloped(graph, node, result, graph.weight(node, 3))
    if fused[1] == "Relu":
        return graph.emit("Relu", [result], node["name"])
    raise ModelError(f"TensorFlow.js model: activation {fused[1]} is not supported")


def _depthwise_convolution(graph: _Graph, node: Node) -> str:
    kernel = graph.weight(node, 1)  # height, width, channels, multiplier
    height, width, channels, multiplier = kernel.shape
    kernel = kernel.reshape(height, width, 1, channels * multiplier).transpose(3, 2, 0, 1)
    return _convolution(graph, node, kernel, channels, None)


def _sloped(graph: _Graph, node: Node, tensor: str, slope: Array) -> str:
    channels = slope.reshape(-1, 1, 1)  # one slope per channel
    if slope.size != slope.shape[-1]:
        raise ModelError("TensorFlow.js model: PReLU with a slope for each pixel is not supported")
    name = node["name"]
    return graph.emit("PRelu", [tensor, graph.constant(f"{name}/slope", channels)], name)


def _prelu(graph: _Graph, node: Node) -> str:
    return _sloped(graph, node, graph.source(node, 0), graph.weight(node, 1))


def _add(graph: _Graph, node: Node) -> str:
    """Add a tensor, or a bias for each channel."""
    name = node["name"]
    other = _input(node, 1)
    if other in graph.weights:
        bias = graph.weights[other].reshape(-1, 1, 1)
        return graph.emit(
            "Add", [graph.source(node, 0), graph.constant(f"{name}/bias", bias)], name
        )
    return graph.emit("Add", [graph.source(node, 0), graph.tensors[other]], name)


def _unary(operator: str) -> Callable[[_Graph, Node], str]:
    return lambda graph, node: graph.emit(operator, [graph.source(node, 0)], node["name"])


def _max_pool(graph: _Graph, node: Node) -> str:
    return graph.emit(
        "MaxPool",
        [graph.source(node, 0)],
        node["name"],
        auto_pad=_padding(node),
        kernel_shape=_spatial(node, "ksize"),
        strides=_spatial(node, "strides"),
    )


def _pad(graph: _Graph, node: Node) -> str:
    """Pad with zeros; TensorFlow gives a pair for each axis of NHWC."""
    batch, height, width, channels = graph.weight(node, 1)
    pads = np.array([batch, channels, height, width], np.int64).T.reshape(-1)
    name = node["name"]
    return graph.emit("Pad", [graph.source(node, 0), graph.constant(f"{name}/pads", pads)], name)


def _reshape(graph: _Graph, node: Node) -> str:
    """Reshape in TensorFlow's order of values, with batch 1."""
    name = node["name"]
    shape = graph.weight(node, 1).astype(np.int64)
    ordered = graph.emit("Transpose", [graph.source(node, 0)], f"{name}/nhwc", perm=[0, 2, 3, 1])
    return graph.emit("Reshape", [ordered, graph.constant(f"{name}/shape", shape)], name)


def _concat(graph: _Graph, node: Node) -> str:
    *sources, axis = range(len(node["input"]))
    tensors = [graph.source(node, index) for index in sources]
    return graph.emit("Concat", tensors, node["name"], axis=_AXES[int(graph.weight(node, axis))])


_TRANSLATE: dict[str, Callable[[_Graph, Node], str]] = {
    "AddV2": _add,
    "ConcatV2": _concat,
    "Const": _const,
    "DepthwiseConv2dNative": _depthwise_convolution,
    "Identity": lambda graph, node: graph.source(node, 0),
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Placeholder": _placeholder,
    "Prelu": _prelu,
    "Relu": _unary("Relu"),
    "Reshape": _reshape,
    "Sigmoid": _unary("Sigmoid"),
    "_FusedConv2D": _fused_convolution,
}
