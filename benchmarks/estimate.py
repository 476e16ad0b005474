"""Time of the estimation of a passing frame over the time of its models alone.

The model calls of the frame are recorded and repeated alone, alternating with whole estimations, so
that changes of the machine's speed affect both.

    python -m benchmarks.estimate
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.setting import models, passing_frames, pin_last_cpu
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.network import Network
from shared.frame.checks import Rules
from shared.frame.estimation import Image, Profile
from tests.support.service import ROOT

ROUNDS = 20


@dataclass(frozen=True)
class Call:
    """One run of a model for a frame."""

    network: Network
    image: Image
    tensor: Any
    outputs: Any

    def bare(self) -> float:
        """Run the model alone and return the seconds.

        The input is copied to the network's own buffer: with another array, a runtime that binds a
        network to its input would have to bind it again, here and in the next estimation.
        """
        network = self.network
        np.copyto(network._input, self.tensor)
        start = perf_counter()
        network._session.run(self.outputs, {network._name: network._input})
        return perf_counter() - start


@contextmanager
def recorded(calls: list[Call]) -> Iterator[None]:
    """Record every run of a model."""
    run = Network.run

    def recording(self: Network, image: Image, outputs: Any = None) -> Any:
        result = run(self, image, outputs)
        calls.append(Call(self, image.copy(), self._input.copy(), outputs))
        return result

    Network.run = recording  # type: ignore[method-assign]
    try:
        yield
    finally:
        Network.run = run  # type: ignore[method-assign]


def measure(rounds: int) -> dict[str, float]:
    """Mean milliseconds of the estimation and of its models alone, and their ratio."""
    estimator = Estimator(OnnxBackend(models()), Rules())
    frames = passing_frames(estimator)
    whole: list[list[float]] = [[] for _ in frames]
    bare: list[list[float]] = [[] for _ in frames]
    calls = [_calls(estimator, frame) for frame in frames]
    for _ in range(rounds):
        for number, frame in enumerate(frames):
            start = perf_counter()
            estimator.estimate(frame, Profile.PASSIVE)
            whole[number].append(perf_counter() - start)
            bare[number].append(sum(call.bare() for call in calls[number]))
    estimation_ms = 1000 * statistics.mean(map(statistics.median, whole))
    models_ms = 1000 * statistics.mean(map(statistics.median, bare))
    return {
        "estimation_ms": estimation_ms,
        "models_ms": models_ms,
        "models_run": statistics.mean(map(len, calls)),
        "estimate_ratio": estimation_ms / models_ms,
    }


def _calls(estimator: Estimator, frame: Image) -> list[Call]:
    calls: list[Call] = []
    with recorded(calls):
        estimate = estimator.estimate(frame, Profile.PASSIVE)
    assert estimate.ok, f"the frame fails with {estimate.errors}"
    return calls


def run() -> dict[str, float]:
    """Measure in a separate process that is pinned to one CPU."""
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.estimate"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    measured: dict[str, float] = json.loads(printed)
    return measured


def main() -> None:
    """Print the figures as JSON."""
    pin_last_cpu()
    print(json.dumps(measure(ROUNDS)))


if __name__ == "__main__":
    main()
