"""Estimates that pass every default check unless a test changes a measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.judging import Measured
from evaluation.samples import Sample
from evaluation.verdicts import SessionOutcome, SessionVerdict
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Liveness, Mouth, Quality

QUALITY = Quality(blur=0.9, light=0.9, darkness=0.9, illumination=0.9, specularity=0.9)


def estimate(liveness: float | None = 0.9, **changed: Any) -> Estimate:
    good = Estimate(
        640,
        480,
        faces=1,
        face=Box(200, 100, 220, 260),
        quality=QUALITY,
        head_pose=HeadPose(0, 0, 0),
        eyes=Eyes(0.3, 0.3, left_open=True, right_open=True),
        mouth=Mouth(0, 0, 0),
        glasses="no_glasses",
        ags=0.9,
        liveness=None if liveness is None else Liveness(liveness, 1.0),
        timings={"faces": 2.0, "liveness": 8.0},
    )
    return replace(good, **changed)


def presentation(
    *frames: Estimate,
    refused: str = "",
    name: str = "live/a.jpg",
    species: str = "",
    subject: str = "",
    group: str = "",
) -> Measured:
    sample = Sample(Path(name), name, species, subject or name, group)
    return Measured(sample, frames, refused=refused)


def verdict(
    outcome: SessionOutcome,
    name: str = "live/a",
    *,
    species: str = "",
    subject: str = "",
    findings: dict[int, int] | None = None,
    refused: str = "",
    group: str = "",
    **signs: float | None,
) -> SessionVerdict:
    """Return a judged session of 20 frames; ``signs`` are measurements of LifeSigns."""
    sample = Sample(Path(name), name, species, subject or name, group)
    measures = {"score": None, "eyes": None, "pose": None, "background": None, "frames": 20}
    data = {"lifeSigns": measures | signs} if signs else {}
    return SessionVerdict(sample, outcome, 20, 4.0, (), findings or {}, data, refused)
