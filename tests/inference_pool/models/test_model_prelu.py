"""The PReLU rewrite changes no output and is the same bytes every time."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest

from inference_pool.models import prelu
from inference_pool.models.manifest import load_manifest
from shared.errors import ModelError

PINNED = [role for role, spec in load_manifest().reference.items() if spec.prelu_sha256]


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_equal_for_every_sign_and_slope(prelu_network):
    """Negative, small and large slopes give PReLU's own numbers on both signs."""
    model = prelu_network((-0.5, 0.25, 1.5))
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)
    slope = np.array([-0.5, 0.25, 1.5], np.float32).reshape(3, 1, 1)
    expected = np.where(x > 0, x, slope * x)
    np.testing.assert_allclose(run(prelu.rewrite(model), x), expected, atol=1e-6)


def test_no_prelu_is_left_and_names_stay(prelu_network):
    """The variant has the original's inputs and outputs, and no PReLU."""
    before = onnx.load_model_from_string(prelu_network())
    after = onnx.load_model_from_string(prelu.rewrite(prelu_network()))
    assert "PRelu" not in {node.op_type for node in after.graph.node}
    assert after.graph.input == before.graph.input
    assert after.graph.output == before.graph.output


def test_same_bytes_every_time(prelu_network):
    """The variant can be pinned by its hash."""
    assert prelu.rewrite(prelu_network()) == prelu.rewrite(prelu_network())


def test_difference_is_seen(monkeypatch, prelu_network):
    """A rewrite that changed an output would be refused."""
    monkeypatch.setattr(prelu, "rewrite", lambda model: prelu_network((9.0, 9.0, 9.0)))
    with pytest.raises(ModelError, match="PReLU rewrite changes an output"):
        prelu.verified_variant(prelu_network(), "tiny.onnx")


@pytest.mark.parametrize("role", PINNED)
def test_reference_variants(models_directory, role):
    """Each pinned variant is built to its pinned bytes, equal to 1e-4 on random input."""
    spec = load_manifest().reference[role]
    variant = prelu.verified_variant((models_directory / spec.file).read_bytes(), spec.file)
    assert hashlib.sha256(variant).hexdigest() == spec.prelu_sha256
