"""Rewrites change no output and give the same bytes every time."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference_pool.models.manifest import ModelSpec, load_manifest
from inference_pool.models.pulling import prelu, variants, yunet
from shared.errors import ModelError

PINNED = [role for role, spec in load_manifest().reference.items() if spec.rewrite]
HEADS = (1, 4, 10)
"""Channels of the small detector's heads."""


def run(model: bytes, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def detector_network() -> bytes:
    """Build three heads on one feature map, and a single one on another."""
    random = np.random.default_rng(0)
    nodes, weights, results = [], [], []

    def convolution(place: str, result: str, shape: tuple[int, ...], **attributes: object) -> None:
        for part, values in (("w", random.normal(size=shape)), ("b", random.normal(size=shape[0]))):
            name = f"{result}/{part}"
            weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        inputs = [place, f"{result}/w", f"{result}/b"]
        nodes.append(helper.make_node("Conv", inputs, [result], name=result, **attributes))

    convolution("x", "lower", (8, 2, 1, 1))
    nodes.append(helper.make_node("Relu", ["lower"], ["map"]))
    for number, (place, count) in enumerate([("map", n) for n in HEADS] + [("x", 2)]):
        inputs = 8 if place == "map" else 2
        convolution(place, f"narrow{number}", (count, inputs, 1, 1), group=1)
        same = {"group": count, "pads": [1, 1, 1, 1]}
        convolution(f"narrow{number}", f"own{number}", (count, 1, 3, 3), **same)
        turned = helper.make_node("Transpose", [f"own{number}"], [f"y{number}"], perm=[0, 2, 3, 1])
        nodes.append(turned)
        results.append(
            helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, [1, 5, 6, count])
        )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 6])
    graph = helper.make_graph(nodes, "detector", [x], results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def test_prelu_is_equal_for_every_sign_and_slope(prelu_network):
    """Negative, small and large slopes give PReLU's own numbers on both signs."""
    model = prelu_network((-0.5, 0.25, 1.5))
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)
    slope = np.array([-0.5, 0.25, 1.5], np.float32).reshape(3, 1, 1)
    expected = np.where(x > 0, x, slope * x)
    np.testing.assert_allclose(run(prelu.rewrite(model), x)[0], expected, atol=1e-6)


def test_no_prelu_is_left_and_names_stay(prelu_network):
    """The variant has the original's inputs and outputs, and no PReLU."""
    before = onnx.load_model_from_string(prelu_network())
    after = onnx.load_model_from_string(prelu.rewrite(prelu_network()))
    assert "PRelu" not in {node.op_type for node in after.graph.node}
    assert after.graph.input == before.graph.input
    assert after.graph.output == before.graph.output


def test_heads_of_one_map_are_merged():
    """Each output stays the same; the single head and other operators are unchanged."""
    before, after = detector_network(), yunet.rewrite(detector_network())
    x = np.random.default_rng(1).normal(size=(1, 2, 5, 6)).astype(np.float32)
    for expected, got in zip(run(before, x), run(after, x), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    graph = onnx.load_model_from_string(after).graph
    assert [node.op_type for node in graph.node].count("Conv") == 5
    (split,) = (node for node in graph.node if node.op_type == "Split")
    assert tuple(split.attribute[1].ints or split.attribute[0].ints) == HEADS
    assert len(graph.initializer) == 10


def test_a_detector_takes_images_of_other_sizes():
    """The rewritten network runs at any height and width, and still only on two channels."""
    after = yunet.rewrite(detector_network())
    outputs = run(after, np.zeros((1, 2, 9, 4), np.float32))
    assert [output.shape for output in outputs] == [(1, 9, 4, count) for count in (*HEADS, 2)]
    with pytest.raises(Exception, match="Got invalid dimensions"):
        run(after, np.zeros((1, 3, 9, 4), np.float32))


@pytest.mark.parametrize("rewrite", [prelu.rewrite, yunet.rewrite])
def test_same_bytes_every_time(prelu_network, rewrite):
    """The variant can be pinned by its hash."""
    for model in (prelu_network(), detector_network()):
        assert rewrite(model) == rewrite(model)


def test_a_difference_is_detected(monkeypatch, prelu_network):
    """A rewrite that changed an output would be refused."""
    other = prelu_network((9.0, 9.0, 9.0))
    monkeypatch.setitem(variants._REWRITES, "prelu", lambda model: other)
    with pytest.raises(ModelError, match="the rewrite 'prelu' changes an output"):
        variants.verified_variant(prelu_network(), "prelu", "tiny.onnx")


@pytest.mark.parametrize("broken", [(np.nan, 9.0), (9.0, np.nan)])
def test_nan_is_a_difference(monkeypatch, prelu_network, broken):
    """A variant with NaN in one channel is refused, whatever the other channels have."""
    monkeypatch.setitem(variants._REWRITES, "prelu", lambda model: prelu_network(broken))
    with pytest.raises(ModelError, match="changes an output by nan"):
        variants.verified_variant(prelu_network((0.5, 0.5)), "prelu", "tiny.onnx")


def two_outputs(first: str, second: str) -> onnx.ModelProto:
    """Build a network with two operators on its input."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "a", "b")
    ]
    nodes = [helper.make_node(first, ["x"], ["a"]), helper.make_node(second, ["x"], ["b"])]
    graph = helper.make_graph(nodes, "two", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("outputs", [("Sqrt", "Abs"), ("Abs", "Sqrt")])
def test_nan_in_any_output_is_detected(outputs):
    """It is in the first or the last output, from the square root of a negative number."""
    before = two_outputs("Abs", "Abs").SerializeToString()
    after = two_outputs(*outputs).SerializeToString()
    assert np.isnan(variants.greatest_difference(before, after))


@pytest.mark.parametrize("role", PINNED)
def test_reference_variants(models_directory, role):
    """Each pinned variant is built to its pinned bytes, equal to 1e-4 on random input."""
    spec = load_manifest().reference[role]
    original = (models_directory / spec.file).read_bytes()
    variant = variants.verified_variant(original, spec.rewrite, spec.file)
    assert hashlib.sha256(variant).hexdigest() == spec.variant_sha256


def test_a_rewrite_needs_the_hash_of_its_variant():
    """Otherwise a variant would be loaded unverified."""
    table = load_manifest().reference["mesh"].model_dump() | {"variant_sha256": None}
    with pytest.raises(ValueError, match="must be given together"):
        ModelSpec.model_validate(table)
