"""The comparison of two checkouts counts errors per frame and per person."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forms import Form
from benchmarks.verdicts import Found, Pair, chance, lacks_code, passes, refused_by, row
from shared.codes import Code

IMAGE = np.zeros((1, 1, 3), np.uint8)


def found(*codes: Code) -> Found:
    return {"stages": {"QUALITY": list(codes), "POSITION": []}, "ok": not codes}


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 1, 1.0), (5, 0, 1 / 16), (0, 6, 1 / 32)],
)
def test_chance_is_a_two_sided_sign_test(better: int, worse: int, p: float) -> None:
    """It is symmetric, and 1 if both sides are about equal."""
    assert chance(better, worse) == chance(worse, better) == pytest.approx(p)


def test_errors_are_those_of_the_frame() -> None:
    """A good frame is an error if refused, a bad one if it passes or lacks its code."""
    bad = Form("a", "dark", IMAGE, frozenset({Code.TOO_DARK}))
    assert refused_by("QUALITY")(bad, found(Code.BLURRED))
    assert not refused_by("POSITION")(bad, found(Code.BLURRED))
    assert lacks_code(bad, found(Code.BLURRED))
    assert not lacks_code(bad, found(Code.BLURRED, Code.TOO_DARK))
    assert passes(bad, found())
    assert not passes(bad, found(Code.BLURRED))


def test_a_person_counts_once() -> None:
    """A person is one sample of the sign test, however many frames differ."""
    dark = frozenset({Code.TOO_DARK})
    pairs = [
        Pair(Form(person, "dark", IMAGE, dark), this, other)
        for person, this, other in (
            ("a", found(), found(Code.TOO_DARK)),
            ("a", found(), found(Code.TOO_DARK)),
            ("b", found(Code.TOO_DARK), found()),
            ("c", found(), found()),
        )
    ]
    assert row("dark", pairs, lacks_code) == "| dark | 4 | 2 | 3 | 1 | 1 | 1.00 |"
