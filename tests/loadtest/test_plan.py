"""Profiles of load over time."""

from __future__ import annotations

import pytest

from loadtest.plan import LoadProfile, Plan


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        ("soak", [40, 40, 40, 40]),
        ("ramp", [0, 10, 20, 30]),
        ("spike", [10, 10, 40, 10]),
        ("step", [10, 20, 30, 40]),
    ],
)
def test_the_level_at_each_quarter(kind: str, levels: list[float]) -> None:
    """Check the load at the start of each quarter of the time."""
    profile = LoadProfile(kind, most=40, seconds=100, warm=0, steps=4)  # type: ignore[arg-type]
    assert [profile.level(at) for at in (0, 25, 50, 75)] == levels


def test_no_load_before_and_after() -> None:
    """The load is 0 outside of the run."""
    profile = LoadProfile("soak", most=40, seconds=100)
    assert profile.level(-0.1) == profile.level(100) == 0


def test_a_soak_warms_up() -> None:
    """Not all people start at once."""
    profile = LoadProfile("soak", most=40, seconds=100, warm=4)
    assert [profile.level(at) for at in (0, 1, 2, 4, 99)] == [0, 10, 20, 40, 40]


def test_a_plan_survives_a_round_trip_as_text() -> None:
    """A client process gets the same plan."""
    plan = Plan(
        "ws://h/ws", LoadProfile("spike", 7, 8), arrivals=True, fps=0, patience=3, breaks=0.5
    )
    assert Plan.loads(plan.dumps()) == plan
