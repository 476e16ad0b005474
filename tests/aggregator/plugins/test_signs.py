"""The window of LifeSigns: which frames are compared with each other."""

from __future__ import annotations

from collections.abc import Iterable

from aggregator.plugins.signs import Signs, SignsWindow
from shared.config.life_signs import LifeSignsArgs
from shared.frame.checks import Rules
from tests.support.eyes import drawn_eyelids
from tests.support.judge import live

LIMIT = LifeSignsArgs().eyesDeviation


def signs(lowered: Iterable[tuple[float, float]]) -> Signs:
    """Measure frames with these times and eyelids."""
    window = SignsWindow(4.0, 8, Rules())
    for at, lids in lowered:
        assert window.add(1000 + at, live(eyelids=drawn_eyelids(lids)))
    return window.signs()


def test_lids_are_compared_over_at_least_seven_tenths_of_a_second() -> None:
    """This holds at any frame rate; between two frames the lids of this person hardly move."""
    for fps in (2.0, 5.0, 10.0):
        times = [number / fps for number in range(int(4 * fps))]
        swinging = signs((at, 0.06 * abs(at % 2.8 - 1.4)) for at in times)
        assert swinging.eyes is not None
        assert swinging.eyes > LIMIT


def test_one_bad_frame_before_a_burst_does_not_make_a_photo_alive() -> None:
    """It is compared with one of the later frames, not with every frame of the burst."""
    burst = [(1.0 + number / 10, 0.0) for number in range(18)]
    photograph = signs([(0.0, 0.1), *burst])
    assert photograph.eyes is not None
    assert photograph.eyes < LIMIT


def test_few_pairs_leave_the_eyes_unknown() -> None:
    """The frames lie within one second, or so far apart that the light may have changed."""
    assert signs((number / 10, 0.0) for number in range(10)).eyes is None
    assert signs((number * 2.5, 0.0) for number in range(10)).eyes is None
