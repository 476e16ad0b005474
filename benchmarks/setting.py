"""Shared by the benchmarks: CPUs, models, frames and a service to measure."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import simplejpeg

from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from loadtest.gallery import Gallery
from loadtest.synthetic.sensor import Exposures
from shared.frame.estimation import Image, Profile
from tests.support.service import ROOT, Service, running

MODELS = Path(os.environ.get("LUNAPASS_MODELS", ROOT / "models"))
GALLERY = ROOT / "build" / "bench" / "gallery"
CPUS = sorted(os.sched_getaffinity(0))
WORKERS = max(1, len(CPUS) // 2)
WORKER_CPUS = CPUS[-WORKERS:]
"""The last half of the CPUs, which the workers use."""
OTHER_CPUS = CPUS[:-WORKERS] or CPUS
"""The CPUs of all other processes, including the clients."""
NEVER_DONE = "[LIVENESS.THRESHOLDS]\nlivenessScore = 1.0\n"
"""With this every frame passes through all stages but none is accepted, so sessions do not end."""
WIDE_LIMITS = """
[LIMITS]
sessionsPerAddress = 5000
sessions = 5000
handshakesPerSecond = 2000
handshakesPerAddress = 2000
refusedSessionsPerAddress = 0
framesPerSecond = 1000
bytesPerSecond = 1000000000
bytesPerAddress = 1000000000
frameBurst = 1000
sessionSeconds = 3600
livenessRefusals = 0
"""


def pin_last_cpu() -> None:
    """Pin this process to the first of the worker CPUs."""
    os.sched_setaffinity(0, {WORKER_CPUS[0]})
    cv2.setNumThreads(1)


def models() -> ModelStore:
    """The models, with the providers that a worker would choose."""
    return ModelStore(MODELS)


@cache
def gallery() -> Gallery:
    """Frames of the synthetic person; rendered once and cached in a file."""
    if not GALLERY.exists():
        from lunapass.demo import make_person
        from shared.config.service import Config, ModelsSection

        config = Config(MODELS=ModelsSection(directory=str(MODELS)))
        Gallery.render(make_person(None, config).render_jpeg).save(GALLERY)
    return Gallery.load(GALLERY)


def passing_jpegs() -> list[bytes]:
    """JPEGs of the person who looks straight into the camera."""
    shown = gallery()
    return [
        frame
        for frame, look in zip(shown.frames, shown.looks, strict=True)
        if max(abs(look.yaw), abs(look.pitch), abs(look.roll)) < 2
        and look.left_eye_closed == look.blur == 0
        and look.brightness == look.distance == 1
    ]


@cache
def passing_shots() -> list[Callable[[], bytes]]:
    """Cameras that take such frames, each with new noise."""
    return [Exposures.of_file(jpeg).shot for jpeg in passing_jpegs()]


def passing_frames(estimator: Estimator) -> list[Image]:
    """Decoded frames that pass every stage of an estimator."""
    decoded = [simplejpeg.decode_jpeg(jpeg, "BGR") for jpeg in passing_jpegs()]
    passing = [frame for frame in decoded if estimator.estimate(frame, Profile.PASSIVE).ok]
    assert len(passing) >= 3, "the synthetic person is not accepted"
    return passing


@contextlib.contextmanager
def on_other_cpus() -> Iterator[None]:
    """Keep this process, and the ones it starts, off the worker CPUs while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(OTHER_CPUS))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def service(settings: str = "", *, real: bool = True) -> Iterator[Service]:
    """Run a service with pinned workers, with the models if ``real``, else the stamp backend."""
    backend = "# backend onnx\n" if real else ""
    directory = f'\n[MODELS]\ndirectory = "{MODELS}"\n'
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(
            running(backend + WIDE_LIMITS + directory + settings, workers=WORKERS)
        )
        try:
            yield started
        finally:
            with contextlib.redirect_stdout(io.StringIO()):  # hides its log, printed at the end
                stack.close()


def rounded(value: Any) -> Any:
    """Round the numbers of a result; infinity, which JSON lacks, becomes None."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
