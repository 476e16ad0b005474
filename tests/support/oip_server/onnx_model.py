"""A runtime for MLServer that runs an ONNX file; it runs in MLServer's own environment.

``DELAY_FILE`` names a file with the seconds to wait before each answer, ``SPOIL_FILE`` one whose
presence turns every answer into NaN; with them a test makes a slow or a broken server.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor


def asked_delay() -> float:
    """Return the seconds to wait before an answer."""
    file = Path(os.environ["DELAY_FILE"])
    return float(file.read_text()) if file.exists() else 0.0


def spoiled() -> bool:
    """Whether answers are to be NaN."""
    return Path(os.environ["SPOIL_FILE"]).exists()


class OnnxModel(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        self.inputs = [self._describe(tensor) for tensor in self._session.get_inputs()]
        self.outputs = [self._describe(tensor) for tensor in self._session.get_outputs()]
        return True

    @staticmethod
    def _describe(tensor: object) -> MetadataTensor:
        shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
        return MetadataTensor(name=tensor.name, datatype="FP32", shape=shape)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        await asyncio.sleep(asked_delay())
        feed = {
            tensor.name: NumpyCodec.decode_input(tensor).astype(np.float32)
            for tensor in payload.inputs
        }
        names = [tensor.name for tensor in payload.outputs or self.outputs]
        values = self._session.run(names, feed)
        if spoiled():
            values = [np.full_like(value, np.nan) for value in values]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output(name, value)
                for name, value in zip(names, values, strict=True)
            ],
        )
