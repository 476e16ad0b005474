"""Kind of glasses: a network detects glasses, and dark lenses mean sunglasses."""

from collections.abc import Iterable
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.models.session import ModelSession
from inference_pool.onnx.geometry import Points, fitted, width_and_height
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.frame.estimation import Glasses, Image

WIDTH, HEIGHT = 128, 64
GLASSES_BELOW = -1.0
"""A logit below this means glasses; squinting eyes without glasses gave -0.4."""
SKIN_LUMA, MAX_LIFT = 150.0, 4.0
"""Skin luma to which darker crops are lightened, and the maximum factor. Without this the network
mistakes very dark skin for glasses."""
DARK_LENS = 0.35
"""A lens is dark if the luma around the eye is below this share of the skin's."""

# fmt: off
_BROWS_AND_NOSE_TIP = np.array((70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 1))
_AROUND_RIGHT_EYE = np.array((22, 23, 24, 26, 27, 28, 29, 56))
_AROUND_LEFT_EYE = np.array((252, 253, 254, 256, 257, 258, 259, 286))
_CHEEKS_AND_FOREHEAD = np.array((50, 280, 101, 330, 9, 151, 108, 337))
# fmt: on


class GlassesKind:
    """Classifies the glasses.

    The network detects glasses but not their kind. They are sunglasses if the lids and the skin
    around **both** eyes are far darker than cheeks and forehead; one eye in shadow is not enough.
    Without a session only sunglasses are found.
    """

    def __init__(self, session: ModelSession | None) -> None:
        self._network = Network(session, (HEIGHT, WIDTH), rgb=True) if session is not None else None
        self._crop: Image = np.empty((HEIGHT, WIDTH, 3), np.uint8)

    def classify(self, image: Image, mesh: Points) -> Glasses:
        """Classify the glasses on a face with a mesh (468, 3) in the image's pixels.

        Raises:
            EstimationError: the eyes are outside the frame.
        """
        if self._network is not None and self._logit(self._network, image, mesh) >= GLASSES_BELOW:
            return "no_glasses"
        if _both_dark(image, mesh):
            return "sunglasses"
        return "eyeglasses" if self._network is not None else "no_glasses"

    def _logit(self, network: Network, image: Image, mesh: Points) -> float:
        """Run the network on the box of brows and nose tip, extended by a third on each side."""
        columns, rows, _ = mesh.take(_BROWS_AND_NOSE_TIP, axis=0).T.tolist()
        (left, right), (top, bottom) = _extended(columns), _extended(rows)
        area = image[top:bottom, left:right]
        if not area.size:
            raise EstimationError("the eyes are outside the frame")
        fitted(area, self._crop)
        lift = SKIN_LUMA / max(1.0, _luma(image, mesh, _CHEEKS_AND_FOREHEAD))
        if lift > 1:
            cv2.convertScaleAbs(self._crop, dst=self._crop, alpha=min(lift, MAX_LIFT))
        return float(network.run(self._crop)[0].ravel()[0])


def _both_dark(image: Image, mesh: Points) -> bool:
    skin = max(1.0, _luma(image, mesh, _CHEEKS_AND_FOREHEAD))
    eyes = (_luma(image, mesh, _AROUND_RIGHT_EYE), _luma(image, mesh, _AROUND_LEFT_EYE))
    return max(eyes) < DARK_LENS * skin


def _extended(coordinates: list[float]) -> tuple[int, int]:
    """Range of coordinates along an axis, extended by a third on either side."""
    low, high = min(coordinates), max(coordinates)
    margin = (high - low) / 3
    return int(max(0.0, low - margin)), int(max(0.0, high + margin))


def _luma(image: Image, mesh: Points, vertices: NDArray[np.intp]) -> float:
    """Median luma (ITU-R BT.601) of the pixels at mesh vertices."""
    width, height = width_and_height(image)
    pixels: Iterable[list[int]] = (
        image[min(height - 1, max(0, round(y))), min(width - 1, max(0, round(x)))].tolist()
        for x, y, _ in mesh.take(vertices, axis=0).tolist()
    )
    return median(0.114 * blue + 0.587 * green + 0.299 * red for blue, green, red in pixels)
