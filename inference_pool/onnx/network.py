"""A model session with an input buffer that every frame reuses."""

from collections.abc import Sequence

import cv2
import numpy as np

from inference_pool.models.session import Floats, ModelSession
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import Image

CHANNELS = 3
_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}


class Network:
    """Runs a model with one image input.

    The constructor runs the model once: this shows that it works, and the first run is ten times
    slower because it allocates. The input gets pixel values 0..255 times ``scale`` plus ``offset``,
    in the order RGB or BGR; its channels are the first or the last axis. ``size`` is height and
    width; with ``any_size`` the model may leave them open.

    Attributes:
        outputs: names of the model's outputs, in the model's order.

    Raises:
        ModelError: the model has another input shape, or the runtime cannot run it.
    """

    def __init__(
        self,
        session: ModelSession,
        size: tuple[int, int],
        *,
        rgb: bool,
        scale: float = 1.0,
        offset: float = 0.0,
        any_size: bool = False,
    ) -> None:
        shape = _image_shape(session, size, any_size=any_size)
        self._session = session
        self._name = session.get_inputs()[0].name
        self.outputs = [output.name for output in session.get_outputs()]
        self._channels_last = shape[-1] == CHANNELS
        self._rgb = rgb
        self._scale, self._offset = np.float32(scale), np.float32(offset)
        self._input: Floats = np.zeros((1, *shape), np.float32)
        self._resize(*size)
        try:
            self.run(np.zeros((*size, CHANNELS), np.uint8))
        except EstimationError as error:
            raise ModelError(str(error)) from error

    def run(self, image: Image, outputs: Sequence[str] | None = None) -> list[Floats]:
        """Run the model on a BGR or BGRA image; return the named outputs, or all in its order.

        An image smaller than the input is placed in the upper left corner and padded with black.

        Raises:
            EstimationError: the runtime failed.
        """
        self._fill(image)
        try:
            return self._session.run(outputs, {self._name: self._input})
        except Exception as error:  # the runtimes' errors share no base class
            raise EstimationError(f"the model runtime failed: {error}") from error

    def _fill(self, image: Image) -> None:
        """Copy the image to the input, in the model's axis order, channel order and range.

        Axes and channels are reordered as bytes, before the conversion to float makes them four
        times as large.
        """
        height, width, channels = image.shape
        if (height, width) != self._size:
            self._resize(height, width)
        arranged = self._arranged
        if not self._channels_last:
            cv2.split(image, self._planes[:channels])
        elif self._rgb:
            cv2.cvtColor(image, _TO_RGB[channels], dst=arranged)
        else:
            arranged = image[:, :, :CHANNELS]
        np.copyto(self._filled, arranged)
        if self._scale != 1:  # faster than multiplying bytes, which numpy converts in chunks
            self._filled *= self._scale
        if self._offset:
            self._filled += self._offset

    def _resize(self, height: int, width: int) -> None:
        """Prepare the buffers for an image size and make the rest of the input black."""
        self._size = height, width
        self._input[:] = self._offset
        if self._channels_last:
            self._filled = self._input[0, :height, :width]
        else:
            self._filled = self._input[0, :, :height, :width]
        self._arranged: Image = np.empty(self._filled.shape, np.uint8)
        opacity: Image = np.empty((height, width), np.uint8)
        self._planes = [*(self._arranged[::-1] if self._rgb else self._arranged), opacity]


def _image_shape(
    session: ModelSession, size: tuple[int, int], *, any_size: bool
) -> tuple[int, ...]:
    """Return the shape of a model's image input without the batch, channels first or last."""
    inputs = session.get_inputs()
    batch, *shape = inputs[0].shape
    one = batch == 1 or not isinstance(batch, int)
    first, last = (CHANNELS, *size), (*size, CHANNELS)
    if any_size and len(shape) == len(first) and shape[0] == CHANNELS:
        shape = [CHANNELS, *(_sized(*pair) for pair in zip(shape[1:], size, strict=True))]
    if len(inputs) != 1 or not one or tuple(shape) not in (first, last):
        raise ModelError(
            f"a model has an input of shape {inputs[0].shape}, expected {[1, *first]};"
            " fetch the models again with 'lunapass models pull'"
        )
    return tuple(shape)


def _sized(dimension: object, size: int) -> object:
    """Give an open dimension its size."""
    return dimension if isinstance(dimension, int) else size
