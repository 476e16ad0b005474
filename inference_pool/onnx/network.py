"""One model session with an input buffer that is filled in place, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from inference_pool.models.session import Floats, ModelSession
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import Image

CHANNELS = 3
_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}


class Network:
    """Runs a model of one picture input.

    The model runs once when it is made. That proves it, and the first run allocates and is ten
    times slower: no person should have to wait for it.

    Args:
        session: a session of one of the runtimes; its channels come first or last.
        size: height and width of the input.
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
        session: ModelSession,
        size: tuple[int, int],
        *,
        rgb: bool,
        scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        shape = _picture(session, size)
        self._session = session
        self._name = session.get_inputs()[0].name
        self.outputs = [output.name for output in session.get_outputs()]
        self._channels_last = shape[-1] == CHANNELS
        self._rgb = rgb
        self._scale, self._offset = np.float32(scale), np.float32(offset)
        self._input: Floats = np.zeros((1, *shape), np.float32)
        self._make_room(*size)
        try:
            self.run(np.zeros((*size, CHANNELS), np.uint8))
        except EstimationError as error:
            raise ModelError(str(error)) from error

    def run(self, picture: Image, outputs: Sequence[str] | None = None) -> list[Floats]:
        """Run the model on one picture.

        Args:
            picture: BGR or BGRA picture of the input's size; a smaller one is put into the upper
                left corner of a black one.
            outputs: names of the outputs wanted; None for all, in the model's order.

        Returns:
            The outputs.

        Raises:
            EstimationError: the runtime failed.
        """
        self._fill(picture)
        try:
            return self._session.run(outputs, {self._name: self._input})
        except Exception as error:  # the runtimes' errors share no base class
            raise EstimationError(f"the model runtime failed: {error}") from error

    def _fill(self, picture: Image) -> None:
        """Fill the input in the model's order of channels and axes, and in its range.

        Bytes are brought into order before they become numbers of four times their size.
        """
        height, width, channels = picture.shape
        if (height, width) != self._size:
            self._make_room(height, width)
        arranged = self._arranged
        if not self._channels_last:
            cv2.split(picture, self._planes[:channels])
        elif self._rgb:
            cv2.cvtColor(picture, _TO_RGB[channels], dst=arranged)
        else:
            arranged = picture[:, :, :CHANNELS]
        np.copyto(self._filled, arranged)
        if self._scale != 1:  # multiplying bytes into numbers is slower: numpy converts by pieces
            self._filled *= self._scale
        if self._offset:
            self._filled += self._offset

    def _make_room(self, height: int, width: int) -> None:
        """Prepare for pictures of a size; what they leave is black."""
        self._size = height, width
        self._input[:] = self._offset
        if self._channels_last:
            self._filled = self._input[0, :height, :width]
        else:
            self._filled = self._input[0, :, :height, :width]
        self._arranged: Image = np.empty(self._filled.shape, np.uint8)
        opacity: Image = np.empty((height, width), np.uint8)
        self._planes = [*(self._arranged[::-1] if self._rgb else self._arranged), opacity]


def _picture(session: ModelSession, size: tuple[int, int]) -> tuple[int, ...]:
    """Return the shape of the one picture that a model takes, its channels first or last.

    Raises:
        ModelError: the model takes something else.
    """
    inputs = session.get_inputs()
    batch, *picture = inputs[0].shape
    one = batch == 1 or not isinstance(batch, int)
    first, last = (CHANNELS, *size), (*size, CHANNELS)
    if len(inputs) != 1 or not one or tuple(picture) not in (first, last):
        raise ModelError(
            f"a model has an input of shape {inputs[0].shape}, expected {[1, *first]};"
            " fetch the models again with 'lunapass models pull'"
        )
    return tuple(picture)
