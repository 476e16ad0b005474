"""A portrait with the face mesh fitted to it: what a synthetic person is rendered from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from loadtest.synthetic.features import MESH_POINTS
from shared.errors import ResourceError
from shared.frame.estimation import Image

Mesh = NDArray[np.float32]
"""Points of a face mesh, shape (468, 3), pixels: x right, y down, z away from the camera."""

Landmarker = Callable[[Image], NDArray[np.floating]]
"""Finds the mesh of the face in a picture."""


class Portrait:
    """A picture of one face and that face's mesh.

    Attributes:
        image: the picture.
        mesh: the face's mesh in pixels of the picture.
    """

    def __init__(self, image: Image, mesh: NDArray[np.floating]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a portrait is (height, width, 3) of uint8, not {image.shape}")
        if mesh.shape != (MESH_POINTS, 3) or not np.isfinite(mesh).all():
            raise ValueError(f"a mesh is ({MESH_POINTS}, 3) finite numbers, not {mesh.shape}")
        self.image = image
        self.mesh: Mesh = mesh.astype(np.float32)

    @classmethod
    def fit(cls, image: Image, landmarker: Landmarker) -> Portrait:
        """Fit the mesh to a picture.

        Args:
            image: picture of one face: frontal, with open, evenly lit eyes without glasses (or
                a rendered blink is not seen) and with space about the head.
            landmarker: finds the mesh; what it raises is passed on.
        """
        return cls(image, landmarker(image))

    @classmethod
    def load(cls, path: Path) -> Portrait:
        """Read a portrait that ``save`` wrote.

        Raises:
            ResourceError: the file cannot be read or holds no portrait.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(stored["image"], stored["mesh"])
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise ResourceError(
                f"portrait {path}: {error}; delete it to have it fitted again"
            ) from error

    def save(self, path: Path) -> None:
        """Write the portrait as a compressed ``.npz`` archive."""
        with path.open("wb") as file:
            np.savez_compressed(file, image=self.image, mesh=self.mesh)


def astronaut() -> Image:
    """Give the default picture: NASA's public-domain portrait in scikit-image's data.

    Raises:
        ResourceError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise ResourceError(
            "the default portrait is part of scikit-image: install the extra 'demo',"
            " or name a picture"
        ) from error
    picture: Image = data.astronaut()  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(picture[..., ::-1])
