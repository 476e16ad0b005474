"""The retention time of images follows from the outcome of their session."""

from __future__ import annotations

from math import inf

import pytest
from pydantic import ValidationError

from shared.codes import Code
from shared.config.retention import KEEP_ALL, RetentionSection, SessionEnding

HOUR = 3600


@pytest.mark.parametrize(
    ("accepted", "errors", "ending"),
    [
        (True, (), SessionEnding.ACCEPTED),
        (False, (Code.LOW_LIVENESS,), SessionEnding.REFUSED),
        (False, (Code.SESSION_FAILED, Code.LOW_LIVENESS), SessionEnding.REFUSED),
        (False, (Code.SESSION_FAILED,), SessionEnding.LEFT),
    ],
)
def test_the_outcome_follows_from_the_verdict(
    accepted: bool, errors: tuple[int, ...], ending: SessionEnding
) -> None:
    """Code 40 alone means that no frame decided the session."""
    assert SessionEnding.of(accepted=accepted, errors=errors) is ending


def test_each_outcome_has_its_time() -> None:
    """An unknown outcome has the longest one, because it may be any of the three."""
    section = RetentionSection(accepted="2h", refused="3h", left="1h")
    hours = [section.max_age(ending) / HOUR for ending in sorted(SessionEnding)]
    assert hours == [1, 3, 3, 2]
    assert section.min_age == HOUR


def test_without_a_time_there_is_no_limit() -> None:
    """Nothing is set, or one time is missing and the outcome is unknown."""
    assert {KEEP_ALL.max_age(ending) for ending in SessionEnding} == {inf}
    section = RetentionSection(left="1h")
    assert section.max_age(SessionEnding.UNKNOWN) == section.max_age(SessionEnding.ACCEPTED) == inf
    assert section.max_age(SessionEnding.LEFT) == HOUR


@pytest.mark.parametrize("value", ["59m", "0h", "0", "soon", "-1h"])
def test_a_time_is_at_least_an_hour(value: str) -> None:
    """Making a video and running its task need the images for some time."""
    with pytest.raises(ValidationError):
        RetentionSection(left=value)
