"""Judges images from standard input, for ``benchmarks.verdicts``.

Another checkout runs this file with its own packages, so it imports nothing else of ``benchmarks``.
"""

from __future__ import annotations

import json
import struct
import sys
from io import BufferedReader
from time import thread_time

import cv2
import numpy as np

from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Image, Profile, Stage

SIDES = struct.Struct("<II")


def main(images: BufferedReader) -> None:
    """Read images, each after its height and width (``SIDES``); print a line of JSON for each.

    It has ``stages`` with their codes, ``end``, the stage at which a worker ends, ``ok``, the
    liveness ``score`` and ``cpu``, the seconds that a worker would take.
    """
    cv2.setNumThreads(1)
    rules = Rules()
    backend = OnnxBackend(ModelStore("models"))
    worker = Estimator(backend, rules)
    measuring = Estimator(backend, rules, exhaustive=True)
    while sides := images.read(SIDES.size):
        height, width = SIDES.unpack(sides)
        pixels = np.frombuffer(images.read(height * width * 3), np.uint8)
        image: Image = pixels.reshape(height, width, 3)
        start = thread_time()
        verdict = worker.estimate(image, Profile.PASSIVE)
        taken = thread_time() - start
        measured = measuring.estimate(image, Profile.PASSIVE)
        found = {
            "stages": {stage.name: judge(stage, measured, rules) for stage in Stage},
            "end": verdict.stage.name,
            "ok": verdict.ok,
            "score": measured.liveness.score if measured.liveness else 0.0,
            "cpu": taken,
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.stdin.buffer)  # type: ignore[arg-type]  # a BufferedReader unless it was replaced
