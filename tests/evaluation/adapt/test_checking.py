"""A head must lower the half total error on other images, whichever people are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.adapt.checking import Comparison, compare
from evaluation.adapt.observing import Observation
from evaluation.adapt.training import LinearHead
from evaluation.cache import content_hash
from evaluation.samples import Sample
from shared.errors import FrameError, ResourceError
from shared.frame.estimation import Image

HEAD = LinearHead(np.zeros(1), np.ones(1), np.ones(1), 0.0)
"""Adds the feature to the log odds."""
Shown = tuple[str, str, float, float]
"""Person, species (empty if live), log odds and feature of a presentation."""


class StandIn:
    """Reads log odds and the feature from an image instead of running the networks."""

    def observe(self, image: Image, subject: str, kind: str) -> Observation | None:
        odds, feature = image.tolist()
        return None if np.isnan(odds) else Observation(subject, kind, odds, np.array([feature]))


def frames(path: Path) -> Iterator[Any]:
    """Return frames from the numbers in the file; an empty file cannot be decoded."""
    lines = path.read_text().splitlines()
    if not lines:
        raise FrameError("undecodable")
    for line in lines:
        yield np.array([float(number) for number in line.split()])


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Compare ``HEAD`` with no head on given presentations."""

    def judge(shown: list[Shown], trained_on: set[str] | None = None) -> Comparison:
        samples = []
        for place, (person, species, odds, feature) in enumerate(shown):
            path = tmp_path / f"{place}.numbers"
            path.write_text(f"{odds} {feature}\n")
            samples.append(Sample(path, path.name, species, person))
        observer: Any = StandIn()
        return compare(samples, frames, observer, HEAD, trained_on=trained_on or set(), every=1)

    return judge


def people(count: int, *, odds: float, feature: float) -> list[Shown]:
    """Accepted people, and prints of them with the given log odds and feature."""
    live = [(f"{place}", "", 2.0, 0.0) for place in range(count)]
    return live + [(f"{place}", "print", odds, feature) for place in range(count)]


def test_head_that_refuses_the_attacks_helps(judge: Any) -> None:
    """Without it the prints of 9 of 12 people pass, with it none."""
    shown = people(12, odds=1.0, feature=-3.0)
    shown[-3:] = people(12, odds=-1.0, feature=-3.0)[-3:]
    found = judge(shown)
    assert (found.before.half_total, found.after.half_total) == (0.375, 0.0)
    assert found.interval is not None
    assert found.interval[0] < -0.375 < found.interval[1]
    assert found.helps


@pytest.mark.parametrize(
    ("count", "reason"), [(2, "fewer than 6 people change it"), (12, "all people change alike")]
)
def test_head_without_an_interval_does_not_help(judge: Any, count: int, reason: str) -> None:
    """The bootstrap sees no spread, so its interval would have no width."""
    found = judge(people(count, odds=1.0, feature=-3.0))
    assert found.change == -0.5
    assert (found.interval, found.reason) == (None, reason)
    assert not found.helps


def test_head_without_an_effect_does_not_help(judge: Any) -> None:
    """Either everything is right already, or it changes nothing."""
    for odds in (-1.0, 1.0):
        found = judge(people(12, odds=odds, feature=-0.5 if odds < 0 else 0.5))
        assert found.change == 0
        assert not found.helps


def test_head_that_refuses_as_many_people_as_attacks_does_not_help(judge: Any) -> None:
    """The half total error counts both."""
    shown = [
        (person, species, odds, -3.0) for person, species, odds, _ in people(12, odds=1, feature=0)
    ]
    found = judge(shown)
    assert (found.before.live, found.after.live) == (0.0, 1.0)
    assert found.change == 0
    assert not found.helps


def test_one_person_alone_is_no_proof(judge: Any) -> None:
    """Twenty prints of one of ten people are one person who differs."""
    shown = people(10, odds=-1.0, feature=0.0) + [("0", "print", 1.0, -3.0)] * 20
    found = judge(shown)
    assert found.change < 0
    assert not found.helps


def test_species_have_equal_weight(judge: Any) -> None:
    """Many prints do not hide a screen."""
    shown = [*people(10, odds=-1.0, feature=0.0), ("0", "screen", 1.0, 0.0)]
    assert judge(shown).before.attacks == {"print": 0.0, "screen": 1.0}
    assert judge(shown).before.half_total == 0.25


def test_presentation_without_a_face_does_not_count(judge: Any) -> None:
    """``evaluate`` does the same."""
    shown = [*people(4, odds=1.0, feature=-3.0), ("9", "print", float("nan"), 0.0)]
    assert len(judge(shown).presentations) == 8


def test_training_images_are_refused(judge: Any, tmp_path: Path) -> None:
    """The head knows them, so they prove nothing."""
    shown = people(4, odds=1.0, feature=-3.0)
    judge(shown)
    with pytest.raises(ResourceError, match=r"0\.numbers is also in --live"):
        judge(shown, {content_hash(tmp_path / "0.numbers")})


@pytest.mark.parametrize("shown", [people(1, odds=1, feature=0), people(4, odds=1, feature=0)[:4]])
def test_a_set_without_attacks_or_with_one_person_proves_nothing(
    judge: Any, shown: list[Shown]
) -> None:
    """The check reports what is missing."""
    with pytest.raises(ResourceError, match="--check: "):
        judge(shown)
