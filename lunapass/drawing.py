"""Draws the measurements into an image: box, mesh and scores."""

from collections.abc import Iterator
from dataclasses import asdict

import cv2
import numpy as np

from shared.codes import finding
from shared.frame.estimation import Estimate, Face, Image
from shared.lettering import write

GOOD, BAD, MESH = (80, 200, 80), (60, 60, 230), (220, 200, 80)
"""Colours, BGR."""


def draw(image: Image, estimate: Estimate, face: Face | None) -> Image:
    """Return a copy of a frame with its measurements, and with the face's mesh if it has one."""
    canvas = image.copy()
    unit = max(1, round(max(canvas.shape[:2]) / 640))
    colour = GOOD if estimate.ok else BAD
    if estimate.face is not None:
        box = estimate.face
        corners = (box.x, box.y), (box.x + box.width, box.y + box.height)
        cv2.rectangle(canvas, *corners, colour, 2 * unit)
    mesh = getattr(face, "mesh", None)
    for x, y in np.rint(mesh[:, :2]).astype(int).tolist() if mesh is not None else ():
        cv2.circle(canvas, (x, y), unit, MESH, -1)
    for row, line in enumerate(scores(estimate)):
        write(canvas, line, (8 * unit, (20 + 18 * row) * unit), unit, colour)
    return canvas


def scores(estimate: Estimate) -> Iterator[str]:
    """Yield the lines of text for a frame, failed checks first."""
    for code in estimate.errors:
        yield f"{int(code)} {finding(code)}"
    if estimate.ok:
        yield "ok"
    if (pose := estimate.head_pose) is not None:
        yield f"yaw {pose.yaw:.0f}  pitch {pose.pitch:.0f}  roll {pose.roll:.0f}"
    if (quality := estimate.quality) is not None:
        yield "  ".join(f"{name} {value:.2f}" for name, value in asdict(quality).items())
    if (eyes := estimate.eyes) is not None:
        yield f"eyes {eyes.left:.2f} {eyes.right:.2f}"
    if (mouth := estimate.mouth) is not None:
        yield f"mouth {mouth.opened:.2f}  smile {mouth.smile:.2f}  occluded {mouth.occluded:.2f}"
    if estimate.glasses is not None:
        yield estimate.glasses
    if estimate.ags is not None:
        yield f"ags {estimate.ags:.2f}"
    if (liveness := estimate.liveness) is not None:
        yield f"liveness {liveness.score:.2f}  liveness quality {liveness.quality_score:.2f}"
