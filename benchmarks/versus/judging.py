"""Estimation for all contenders: one estimator per thread or process, the same as a worker's."""

from __future__ import annotations

import json
import os
import threading

import cv2
import numpy as np
import simplejpeg

from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.worker import warm_up
from shared.config.luna_pass import ThresholdsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Image, Profile

PORT = int(os.environ.get("BENCH_PORT", "0"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
_local = threading.local()


def make_estimator() -> Estimator:
    """Load the models; as in the measured service, no frame is ever accepted."""
    cv2.setNumThreads(1)
    never = Rules(thresholds=ThresholdsSection(livenessScore=1.0))
    estimator = Estimator(OnnxBackend(ModelStore(os.environ["BENCH_MODELS"])), never)
    warm_up(estimator)
    return estimator


def prepare() -> None:
    """Load the models for this thread or process, before the first frame."""
    _local.estimator = make_estimator()


def judge(image: Image) -> str:
    """Judge a decoded frame and return a status as JSON."""
    estimate = _local.estimator.estimate(image, Profile.PASSIVE)
    return json.dumps({"isOk": estimate.ok, "errors": list(estimate.errors)})


def decode(jpeg: bytes) -> Image:
    """Decode a frame."""
    image: Image = simplejpeg.decode_jpeg(jpeg, "BGR")
    return np.ascontiguousarray(image)


def judge_jpeg(jpeg: bytes) -> str:
    """Decode and judge a frame."""
    return judge(decode(jpeg))
