"""The bare loop: decodes and estimates frames on one CPU, without a service.

The baseline for the figures of the pipeline. Run it as a separate process:

    python -m benchmarks.bare CPU SECONDS FRAMES_PER_SECOND

With 0 frames per second it runs as fast as it can.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from benchmarks.setting import models, passing_jpegs
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.worker import warm_up
from shared.config.luna_pass import ThresholdsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Profile, Stage
from tests.support.service import ROOT


@dataclass(frozen=True)
class Bare:
    """Figures of a bare loop.

    Attributes:
        fps: frames per second.
        milliseconds: time of each frame.
    """

    fps: float
    milliseconds: list[float]

    def percentile(self, share: float) -> float:
        """Milliseconds below which a share of the frames lies."""
        return float(np.quantile(self.milliseconds, share))


def run(cpu: int, seconds: float, pace: float = 0.0) -> Bare:
    """Run the loop in a separate process."""
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare", str(cpu), str(seconds), str(pace)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return Bare(**json.loads(printed))


def loop(seconds: float, pace: float) -> Bare:
    """Decode and estimate for some seconds."""
    never = Rules(thresholds=ThresholdsSection(livenessScore=1.0))
    estimator = Estimator(OnnxBackend(models()), never)
    warm_up(estimator)
    jpegs = passing_jpegs()
    buffer = np.empty((480, 640, 3), np.uint8)
    times: list[float] = []
    started = due = time.perf_counter()
    while (now := time.perf_counter()) < started + seconds:
        if pace:
            due += 1 / pace
            time.sleep(max(0.0, due - now))
        start = time.perf_counter()
        jpeg = jpegs[len(times) % len(jpegs)]
        image = simplejpeg.decode_jpeg(jpeg, "BGR", buffer=buffer)
        estimate = estimator.estimate(image, Profile.PASSIVE)
        times.append(1000 * (time.perf_counter() - start))
        assert estimate.stage is Stage.LIVENESS
    return Bare(len(times) / (time.perf_counter() - started), times)


def main() -> None:
    """Print the figures as JSON."""
    cpu, seconds, pace = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    os.sched_setaffinity(0, {cpu})
    cv2.setNumThreads(1)
    print(json.dumps(vars(loop(seconds, pace))))


if __name__ == "__main__":
    main()
