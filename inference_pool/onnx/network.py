"""One model session with an input buffer that is filled in place, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import EstimationError, ModelError
from shared.estimation import Image

Floats = NDArray[np.float32]


class Network:
    """Runs a model of one picture input.

    The model runs once when it is made. That proves it, and the first run allocates and is ten
    times slower: no person should have to wait for it.

    Args:
        session: a session of one of the runtimes.
        shape: the input's shape, (1, 3, height, width) or (1, height, width, 3).
        rgb: whether the model wants RGB instead of BGR.
        scale: factor from pixel values 0..255 to the model's range.
        offset: summand after the factor.

    Attributes:
        outputs: names of the model's outputs in its order.

    Raises:
        ModelError: the model has another input, or the runtime cannot run it.
    """

    def __init__(
        self,
        session: Any,
        shape: tuple[int, int, int, int],
        *,
        rgb: bool,
        scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        inputs = session.get_inputs()
        found = [size for size in inputs[0].shape if isinstance(size, int)]
        if len(inputs) != 1 or found not in (list(shape), list(shape[1:])):
            raise ModelError(
                f"a model has an input of shape {inputs[0].shape}, expected {list(shape)};"
                " fetch the models again with 'lunapass models pull'"
            )
        self._session = session
        self._name = inputs[0].name
        self.outputs = [output.name for output in session.get_outputs()]
        self._input: Floats = np.zeros(shape, np.float32)
        self._channels_last = shape[3] == 3
        self._rgb = rgb
        self._scale, self._offset = np.float32(scale), np.float32(offset)
        self._arranged: Image = np.empty(shape[1:], np.uint8)
        self._planes = list(self._arranged[::-1] if rgb else self._arranged)
        try:
            self.run(np.zeros(shape[1:] if self._channels_last else (*shape[2:], 3), np.uint8))
        except EstimationError as error:
            raise ModelError(str(error)) from error

    def run(self, picture: Image, outputs: Sequence[str] | None = None) -> list[Floats]:
        """Run the model on one picture.

        Args:
            picture: BGR picture of the input's size.
            outputs: names of the outputs wanted; None for all, in the model's order.

        Returns:
            The outputs.

        Raises:
            EstimationError: the runtime failed.
        """
        self._fill(picture)
        try:
            result: list[Floats] = self._session.run(outputs, {self._name: self._input})
        except Exception as error:  # the runtimes' errors share no base class
            raise EstimationError(f"the model runtime failed: {error}") from error
        return result

    def _fill(self, picture: Image) -> None:
        """Fill the input in the model's order of channels and axes, and in its range.

        Bytes are brought into order before they become numbers of four times their size.
        """
        arranged = self._arranged
        if not self._channels_last:
            cv2.split(picture, self._planes)
        elif self._rgb:
            cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=arranged)
        else:
            arranged = picture
        if self._scale == 1:
            np.copyto(self._input[0], arranged)
        else:
            np.multiply(arranged, self._scale, out=self._input[0])
        if self._offset:
            self._input += self._offset
