"""A portrait and its face mesh, from which a synthetic person is rendered."""

import numpy as np
from numpy.typing import NDArray

from loadtest.synthetic.features import MESH_POINTS
from shared.errors import ResourceError
from shared.frame.estimation import Image

Mesh = NDArray[np.float32]
"""Points of a face mesh, shape (468, 3), pixels: x right, y down, z away from the camera."""


class Portrait:
    """An image of one face and that face's mesh.

    Attributes:
        image: one frontal face with open, evenly lit eyes, without glasses (which hide a rendered
            blink) and with space around the head.
        mesh: the face's mesh in pixels of the image.
    """

    def __init__(self, image: Image, mesh: NDArray[np.floating]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"a portrait must be (height, width, 3) of uint8, found {image.shape}"
                f" of {image.dtype}"
            )
        if mesh.shape != (MESH_POINTS, 3) or not np.isfinite(mesh).all():
            raise ValueError(
                f"a mesh must be ({MESH_POINTS}, 3) finite numbers, found {mesh.shape}"
            )
        self.image = image
        self.mesh: Mesh = mesh.astype(np.float32)


def astronaut() -> Image:
    """Return the default image: NASA's public-domain portrait in scikit-image's data.

    Raises:
        ResourceError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise ResourceError(
            "the default portrait is part of scikit-image: install the extra 'demo',"
            " or name an image"
        ) from error
    image: Image = data.astronaut()  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(image[..., ::-1])
