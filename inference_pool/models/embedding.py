"""Makes a network output its embedding: the tensor before the last layer."""

from __future__ import annotations

import onnx


def with_embedding(model: bytes, tensor: str) -> bytes:
    """Add a tensor, an output of one of its nodes, to the end of a network's outputs.

    No node changes, so the other outputs keep their values.

    Raises:
        ValueError: the network has no such tensor.
    """
    network = onnx.load_model_from_string(model)
    if not any(tensor in node.output for node in network.graph.node):
        raise ValueError(f"the network has no tensor {tensor!r}")
    network.graph.output.append(onnx.ValueInfoProto(name=tensor))
    extended: bytes = network.SerializeToString()
    return extended
