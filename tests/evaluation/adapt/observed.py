"""Observations with known answers."""

from __future__ import annotations

import numpy as np

from evaluation.adapt.observing import Observation
from evaluation.samples import LIVE

FEATURES = 6


def observed(
    people: int, *, seed: int = 0, gap: float = 4.0, frames: int = 4, log_odds: float = 2.0
) -> list[Observation]:
    """Observe people and recaptures of them; the first feature differs by ``gap``."""
    chance = np.random.default_rng(seed)
    found = []
    for person in range(people):
        for kind in (LIVE, "print", "screen"):
            for _ in range(frames):
                features = chance.standard_normal(FEATURES)
                features[0] += gap / 2 if kind == LIVE else -gap / 2
                odds = log_odds + chance.standard_normal()
                one = Observation(f"person {person}", kind, float(odds), features, kind != LIVE)
                found.append(one)
    return found
