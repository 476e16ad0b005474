"""The pictures that players send: each another one, and known again by what the history has."""

from __future__ import annotations

from tests.support.stamp import PEOPLE, stamped_jpeg

FRAMES = 1_000_000
"""More than any attempt sends."""


def picture(person: int, number: int, seq: int) -> bytes:
    """Frame ``seq`` of a person's attempt, with a number stamped into it."""
    return stamped_jpeg(person % PEOPLE, number, shot=person * FRAMES + seq)
