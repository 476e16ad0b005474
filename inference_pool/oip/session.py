"""A model on inference servers, with the session methods that ``Network`` uses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from inference_pool.models.session import Described, Floats, Port
from inference_pool.oip.endpoints import Endpoints
from shared.digests import short_digest
from shared.errors import EstimationError


class RemoteSession(Described):
    """Runs one model on the first server that answers.

    If ``version`` is empty, the server chooses.

    Attributes:
        identity: digest of what the server reports: name, versions, platform, inputs and outputs.
            The weights are not known here.

    Raises:
        EstimationError: no server describes the model.
    """

    def __init__(self, endpoints: Endpoints, model: str, version: str = "") -> None:
        self._endpoints = endpoints
        self._model = model
        self._version = version
        described: Any = endpoints.call(
            lambda client: client.get_model_metadata(
                model, version, client_timeout=endpoints.timeout
            )
        )
        super().__init__(_ports(described.inputs), _ports(described.outputs))
        versions = version or sorted(described.versions)
        ports = [[port.name, port.shape] for port in (*self._inputs, *self._outputs)]
        self.identity = short_digest([model, versions, described.platform, ports])

    def run(self, names: Sequence[str] | None, feed: dict[str, Floats]) -> list[Floats]:
        """Run the model on one batch; return the named outputs, or all in the model's order.

        Raises:
            EstimationError: no server answered, or an output has NaN or infinity.
        """
        wanted = list(names or (output.name for output in self._outputs))
        result = self._endpoints.call(lambda client: self._infer(client, wanted, feed))
        return [self._output(result, name) for name in wanted]

    def _infer(
        self, client: InferenceServerClient, wanted: list[str], feed: dict[str, Floats]
    ) -> Any:
        inputs = []
        for name, values in feed.items():
            tensor = InferInput(name, list(values.shape), "FP32")
            tensor.set_data_from_numpy(values)
            inputs.append(tensor)
        return client.infer(
            self._model,
            inputs,
            model_version=self._version,
            outputs=[InferRequestedOutput(name) for name in wanted],
            client_timeout=self._endpoints.timeout,
        )

    def _output(self, result: Any, name: str) -> Floats:
        """Return one output; refuse NaN, which could pass a comparison."""
        values = result.as_numpy(name)
        if values is None or not np.isfinite(values).all():
            raise EstimationError(f"model {self._model}: output {name} is not finite numbers")
        return np.asarray(values, np.float32)


def _ports(described: Any) -> list[Port]:
    """Convert names and shapes; an open dimension becomes its index as text."""
    return [
        Port(
            tensor.name,
            [int(size) if int(size) > 0 else str(i) for i, size in enumerate(tensor.shape)],
        )
        for tensor in described
    ]
