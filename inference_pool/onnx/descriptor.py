"""Face descriptor by MobileFaceNet (Chen et al., 2018), compared by cosine."""

import cv2
import numpy as np

from inference_pool.models.session import ModelSession
from inference_pool.onnx.geometry import Points, warped
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.frame.estimation import Image

SIZE = 112
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""Eyes, nose tip and mouth corners in the aligned crop (ArcFace, Deng et al., 2019)."""


class MobileFaceNet:
    """Computes a unit vector that describes a face."""

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 128, offset=-127.5 / 128)
        self._crop: Image = np.empty((SIZE, SIZE, 3), np.uint8)

    def describe(self, image: Image, points: Points) -> bytes:
        """Return the descriptor as float32 bytes; the key points are those of ``TEMPLATE``.

        Raises:
            EstimationError: the key points are degenerate, such as all in one place.
        """
        to_template, _ = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)
        if to_template is None:
            raise EstimationError("the key points are degenerate: the face cannot be aligned")
        crop = warped(image, np.asarray(to_template, np.float64), self._crop)
        vector = self._network.run(crop)[0][0]
        unit = vector / max(1e-9, float(np.linalg.norm(vector)))
        return bytes(unit.astype("<f4").data)
