"""Curves of the classical measures over graded degradations, as Markdown tables.

``python -m benchmarks.quality IMAGE...``; docs/estimation.md and docs/experiments.md quote results.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations import DEGRADATIONS, darker_skin, skin_mask, underexposure
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from shared.config.loading import load
from shared.frame.checks import Rules
from shared.frame.checks import quality as judged
from shared.frame.estimation import Box, Estimate, Image, Quality

MEASURES = ("blur", "light", "darkness", "illumination", "specularity")
KEYS = {"darkness": "dark"}
MAX_SIDE_PX = 640
TONES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12)
Portrait = tuple[str, Image, Box, NDArray[np.float32]]


def main(paths: list[str]) -> None:
    """Print all tables."""
    backend = OnnxBackend.from_config(load())
    portraits = list(_portraits(paths, backend))
    print(f"{len(portraits)} portraits\n")
    _undamaged(portraits, backend)
    _curves(portraits, backend)
    _tones(portraits, backend)


def _portraits(paths: list[str], backend: OnnxBackend) -> Iterator[Portrait]:
    for path in paths:
        image = np.asarray(cv2.imread(path), np.uint8)
        scale = MAX_SIDE_PX / max(image.shape[:2])
        if scale < 1:
            resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            image = np.asarray(resized, np.uint8)
        face = max(backend.detect(image), key=lambda found: found.box.area)
        backend.head_pose(image, face)
        assert isinstance(face, DetectedFace)
        assert face.mesh is not None
        skin = skin_mask(image, face.mesh)
        yield Path(path).stem, image, face.box, skin


def _measure(backend: OnnxBackend, image: Image, box: Box) -> Quality:
    return backend._quality.measure(image, box)


def _refused(quality: Quality) -> bool:
    return bool(judged(Estimate(640, 480, faces=1, quality=quality), Rules()))


def _undamaged(portraits: list[Portrait], backend: OnnxBackend) -> None:
    print("| portrait | " + " | ".join(MEASURES) + " |\n|---|" + "---:|" * len(MEASURES))
    for name, image, box, _ in portraits:
        quality = _measure(backend, image, box)
        print(f"| {name} | " + " | ".join(f"{getattr(quality, m):.2f}" for m in MEASURES) + " |")
    print()


def _curves(portraits: list[Portrait], backend: OnnxBackend) -> None:
    for damage in DEGRADATIONS:
        shown = damage.measure or "blur"
        print(f"{damage.name} ({damage.unit}), measure {shown}")
        rises = 0.0
        before: list[float] = []
        for strength in damage.strengths:
            found = [
                _measure(backend, damage.apply(image, box, strength), box)
                for _, image, box, _ in portraits
            ]
            values = [getattr(quality, shown) for quality in found]
            if before:
                rises = max([rises, *(b - a for a, b in zip(before, values, strict=True))])
            before = values
            least = getattr(Rules().thresholds, KEYS.get(shown, shown))
            print(
                f"| {strength:g} | {min(values):.2f} | {np.median(values):.2f} | {max(values):.2f}"
                f" | {sum(v < least for v in values)} | {sum(map(_refused, found))} |"
            )
        print(f"largest rise {rises:.3f}\n")


def _tones(portraits: list[Portrait], backend: OnnxBackend) -> None:
    for stops in (0, 1, 2, 3):
        for tone in TONES:
            found = []
            for _, image, box, skin in portraits:
                shown = underexposure(darker_skin(image, skin, tone), box, stops)
                found.append(_measure(backend, shown, box))
            lows = " ".join(f"{m} {min(getattr(q, m) for q in found):.2f}" for m in MEASURES)
            print(f"tone {tone:.2f} under by {stops}: refused {sum(map(_refused, found))}; {lows}")


if __name__ == "__main__":
    main(sys.argv[1:])
