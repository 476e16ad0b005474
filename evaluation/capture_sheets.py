"""Portraits to print and to show on screens, as one HTML page."""

import base64
from collections.abc import Iterable
from pathlib import Path

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.frame.estimation import Image

QUALITY = 95
"""JPEG quality of the portraits: a print must not have artefacts of its own."""

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
)


def sheets(portraits: Iterable[tuple[str, Image]]) -> str:
    """Write the page; each portrait has a name, which appears on its print."""
    encoded = [(name, _jpeg(image)) for name, image in portraits]
    return _environment.get_template("capture_sheets.html").render(portraits=encoded)


def _jpeg(image: Image) -> str:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return base64.b64encode(encoded.tobytes()).decode()
