"""The converter computes what TensorFlow computes, and refuses what it does not support."""

from __future__ import annotations

import base64
import json

import numpy as np
import onnxruntime
import pytest

from inference_pool.models.pulling.tfjs import convert
from shared.errors import ModelError

SIZE = 7


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def node(op: str, name: str, *inputs: str, **attr: object) -> dict:
    return {"op": op, "name": name, "input": list(inputs), "attr": attr}


def window(op: str, name: str, *inputs: str, stride: int = 1, padding: str = "SAME", **attr):
    return node(
        op,
        name,
        *inputs,
        strides={"list": {"i": ["1", str(stride), str(stride), "1"]}},
        dilations={"list": {"i": ["1", "1", "1", "1"]}},
        padding={"s": text(padding)},
        **attr,
    )


def fused(*names: str) -> dict:
    return {"list": {"s": [text(name) for name in names]}}


class Model:
    """A graph model under construction, with an image of 7x7x3 as its input."""

    def __init__(self) -> None:
        shape = {"shape": {"dim": [{"size": str(size)} for size in (-1, SIZE, SIZE, 3)]}}
        self.nodes = [node("Placeholder", "image", shape=shape)]
        self.weights: list[dict] = []
        self.data = b""

    def const(self, name: str, value: np.ndarray, stored: str | None = None) -> str:
        self.nodes.append(node("Const", name))
        entry = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        if stored:
            entry["quantization"] = {"dtype": stored}
        self.weights.append(entry)
        self.data += value.astype(stored or value.dtype).tobytes()
        return name

    def convert(self, **outputs: str) -> bytes:
        topology = {
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"weights": self.weights}],
        }
        return convert(json.dumps(topology).encode(), self.data, outputs)

    def run(self, image: np.ndarray, **outputs: str) -> list[np.ndarray]:
        """Convert and run on an image (height, width, channels)."""
        session = onnxruntime.InferenceSession(
            self.convert(**outputs), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"input": image.transpose(2, 0, 1)[None]})


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(2)


def windows(image: np.ndarray, size: int, stride: int, padding: str, fill: float = 0.0):
    """Cut the windows of TensorFlow's sliding operators: (rows, columns, size, size, channels)."""
    if padding == "SAME":
        count = -(-image.shape[0] // stride)
        total = max(0, (count - 1) * stride + size - image.shape[0])
        around = (total // 2, total - total // 2)
        image = np.pad(image, (around, around, (0, 0)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    return view[::stride, ::stride].transpose(0, 1, 3, 4, 2)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_fused_convolution(image, random, stride, padding):
    """Convolution with bias and PReLU, including TensorFlow's uneven padding."""
    kernel = random.normal(size=(3, 3, 3, 5)).astype(np.float32)
    bias, slope = random.normal(size=(2, 5)).astype(np.float32)
    model = Model()
    inputs = [model.const(*pair) for pair in (("k", kernel), ("b", bias))]
    inputs.append(model.const("s", slope.reshape(1, 1, 5)))
    model.nodes.append(
        window(
            "_FusedConv2D", "conv", "image", *inputs,
            stride=stride, padding=padding, fused_ops=fused("BiasAdd", "Prelu"),
        )
    )  # fmt: skip
    (result,) = model.run(image, y="conv")
    linear = np.einsum("rcijk,ijko->rco", windows(image, 3, stride, padding), kernel) + bias
    expected = np.where(linear > 0, linear, slope * linear)
    np.testing.assert_allclose(result[0].transpose(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolution(image, random, stride):
    """Each channel has its own kernels, and a multiplier keeps their order."""
    kernel = random.normal(size=(3, 3, 3, 2)).astype(np.float32)
    model = Model()
    model.const("k", kernel)
    model.nodes.append(window("DepthwiseConv2dNative", "deep", "image", "k", stride=stride))
    (result,) = model.run(image, y="deep")
    expected = np.einsum("rcijk,ijkm->rckm", windows(image, 3, stride, "SAME"), kernel)
    expected = expected.reshape(*expected.shape[:2], 6)
    np.testing.assert_allclose(result[0].transpose(1, 2, 0), expected, atol=1e-5)


def test_residual_block(image):
    """Pooling, channel padding, addition and activation, combined as in the face networks."""
    model = Model()
    ksize = {"list": {"i": ["1", "2", "2", "1"]}}
    model.nodes.append(window("MaxPool", "pool", "image", stride=2, ksize=ksize))
    model.const("p", np.array([[0, 0], [0, 0], [0, 0], [1, 2]], np.int32))
    model.nodes.append(node("Pad", "pad", "pool", "p"))
    model.nodes.append(node("AddV2", "sum", "pad", "pad"))
    model.nodes.append(node("Relu", "relu", "sum"))
    (result,) = model.run(image, y="relu")
    pooled = windows(image, 2, 2, "SAME", -np.inf).max(axis=(2, 3))
    expected = np.maximum(2 * np.pad(pooled, ((0, 0), (0, 0), (1, 2))), 0)
    np.testing.assert_array_equal(result[0].transpose(1, 2, 0), expected)


def test_reshape_concat_and_bias(image):
    """A reshape reads the values in TensorFlow's order; axes and biases refer to its channels."""
    model = Model()
    bias = np.array([1, 2, 3], np.float32)
    model.const("b", bias)
    model.const("axis", np.array(3, np.int32))
    model.const("shape", np.array([1, -1, 6], np.int32))
    model.nodes.append(node("AddV2", "biased", "image", "b"))
    model.nodes.append(node("Sigmoid", "sigmoid", "image"))
    model.nodes.append(node("ConcatV2", "both", "biased", "sigmoid", "axis"))
    model.nodes.append(node("Reshape", "rows", "both", "shape"))
    model.nodes.append(node("Identity", "out", "rows"))
    (result,) = model.run(image, y="out")
    expected = np.concatenate((image + bias, 1 / (1 + np.exp(-image))), axis=2).reshape(1, -1, 6)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_prelu_and_half_precision_weights(image):
    """Weights stored as float16 are widened exactly."""
    model = Model()
    slope = np.array([0.1, 0.2, -3], np.float32)
    model.const("s", slope.reshape(1, 1, 3), stored="float16")
    model.nodes.append(node("Prelu", "prelu", "image", "s"))
    (result,) = model.run(image, y="prelu")
    widened = slope.astype(np.float16).astype(np.float32)
    expected = np.where(image > 0, image, widened * image)
    np.testing.assert_allclose(result[0].transpose(1, 2, 0), expected, atol=1e-6)


def test_only_requested_outputs_are_converted(image):
    """Outputs keep their names and order; unneeded nodes are not read."""
    model = Model()
    model.nodes.append(node("Relu", "a", "image"))
    model.nodes.append(node("Sigmoid", "b", "a"))
    model.nodes.append(node("NoSuchOperator", "c", "b"))
    second, first = model.run(image, second="b", first="a")
    np.testing.assert_allclose(second, 1 / (1 + np.exp(-first)), atol=1e-6)
    assert model.convert(second="b", first="a") == model.convert(second="b", first="a")


def test_unknown_operator():
    """An operator that is not supported is named."""
    model = Model()
    model.nodes.append(node("FFT2D", "a", "image"))
    with pytest.raises(ModelError, match="operator FFT2D is not supported"):
        model.convert(y="a")


def test_unknown_fusion(random):
    """An unsupported fused activation is named."""
    model = Model()
    model.const("k", random.normal(size=(1, 1, 3, 3)).astype(np.float32))
    model.const("b", np.zeros(3, np.float32))
    model.nodes.append(
        window("_FusedConv2D", "a", "image", "k", "b", fused_ops=fused("BiasAdd", "Elu"))
    )
    with pytest.raises(ModelError, match="activation Elu is not supported"):
        model.convert(y="a")


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: setattr(model, "data", model.data[:-1]),
        lambda model: setattr(model, "data", model.data + b"more"),
        lambda model: model.nodes.pop(0),
        lambda model: model.nodes[0]["attr"].clear(),
        lambda model: model.nodes[-1].update(input=["y", "s"]),
    ],
    ids=["short weights", "long weights", "no input", "no shape", "cycle"],
)
def test_damaged_graph(damage):
    """A damaged file is a model error, whatever is wrong with it."""
    model = Model()
    model.const("s", np.zeros((1, 1, 3), np.float32))
    model.nodes.append(node("Prelu", "y", "image", "s"))
    damage(model)
    with pytest.raises(ModelError, match="damaged graph"):
        model.convert(y="y")


def test_not_json():
    """A file that is no JSON is a model error, too."""
    with pytest.raises(ModelError, match="damaged graph"):
        convert(b"\xff", b"", {"y": "y"})
