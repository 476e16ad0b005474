"""JPEG decoding with and without interpolation of subsampled colours: CPU time and verdicts.

    python -m benchmarks.upsampling FOLDER

Each image of the folder with one face is encoded as JPEG (4:2:0) in two qualities, as it is and as
the simulated print and screen of ``lunapass adapt``, then decoded both ways and judged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time_ns

import cv2
import numpy as np
import simplejpeg

from benchmarks.setting import MODELS
from evaluation.adapt.recapture import MEDIA, Scene, simulated
from evaluation.samples import PICTURES
from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image, Profile

QUALITIES = (80, 92)
LONGEST = 640
"""Longest side of a judged image in pixels, as of a webcam."""
AS_STORED = "as stored"


@dataclass
class Comparison:
    """What both ways gave for one kind of image.

    Attributes:
        shifts: changes of the liveness score, where it was measured both ways.
        passed: images that pass all checks with interpolation, and without.
        crossed: images whose score reaches .5 only with interpolation, and only without.
        other_codes: images with other codes.
        nanoseconds: CPU time of decoding with interpolation, and without.
    """

    images: int = 0
    shifts: list[float] = field(default_factory=list)
    passed: list[int] = field(default_factory=lambda: [0, 0])
    crossed: list[int] = field(default_factory=lambda: [0, 0])
    other_codes: int = 0
    nanoseconds: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, estimates: list[Estimate]) -> None:
        """Add one image, judged with interpolation and without."""
        with_, without = estimates
        self.images += 1
        self.passed = [count + one.ok for count, one in zip(self.passed, estimates, strict=True)]
        self.other_codes += set(with_.errors) != set(without.errors)
        if with_.liveness is not None and without.liveness is not None:
            scores = with_.liveness.score, without.liveness.score
            self.shifts.append(scores[1] - scores[0])
            self.crossed[0] += scores[0] >= 0.5 > scores[1]
            self.crossed[1] += scores[1] >= 0.5 > scores[0]


def images(folder: Path, estimator: Estimator) -> Iterator[tuple[str, Image]]:
    """Yield each image as it is stored, and its simulated recaptures."""
    chance = np.random.default_rng(1)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in PICTURES):
        stored = cv2.imread(str(path))
        if stored is None:
            continue
        scale = min(1.0, LONGEST / max(stored.shape))
        image = np.asarray(cv2.resize(stored, None, fx=scale, fy=scale), np.uint8)
        face = estimator.estimate(image, Profile.PASSIVE).face
        if face is None:
            continue
        yield AS_STORED, image
        for kind in MEDIA:
            yield kind, simulated(Scene.of(image, face), kind, chance)


def main() -> None:
    """Print a row for each kind of image."""
    estimator = Estimator(OnnxBackend(ModelStore(MODELS)), Rules(), exhaustive=True)
    found = {kind: Comparison() for kind in (AS_STORED, *MEDIA)}
    for kind, image in images(Path(sys.argv[1]), estimator):
        for quality in QUALITIES:
            data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
            estimates = []
            for way, fast in enumerate((False, True)):
                start = thread_time_ns()
                decoded = simplejpeg.decode_jpeg(data, colorspace="BGR", fastupsample=fast)
                found[kind].nanoseconds[way] += thread_time_ns() - start
                estimates.append(estimator.estimate(decoded, Profile.PASSIVE))
            found[kind].add(estimates)
    for kind, seen in found.items():
        before, after = seen.nanoseconds
        shifts = np.array(seen.shifts or [0.0])
        print(
            f"{kind:10} {seen.images:4} images, decoding {after / before:.2f}, passed"
            f" {seen.passed}, .5 crossed {seen.crossed}, other codes {seen.other_codes},"
            f" score {shifts.mean():+.4f}, |score| {np.abs(shifts).mean():.4f},"
            f" at most {np.abs(shifts).max():.2f}"
        )


if __name__ == "__main__":
    main()
