"""The images that players send: all different, and identifiable from the data in the history."""

from __future__ import annotations

from tests.support.stamp import PEOPLE, stamped_jpeg

FRAMES = 1_000_000
"""More than any attempt sends."""


def picture(person: int, number: int, seq: int) -> bytes:
    """Return frame ``seq`` of a person's attempt, with a number stamped into it."""
    return stamped_jpeg(person % PEOPLE, number, shot=person * FRAMES + seq)
