"""Times in the video always increase, and follow the frames' times where possible."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from video_builder.timeline import ALONE, Timeline, with_durations


def shown(times: list[float], *, fps: float = 0.0, max_gap: float = 60.0) -> list[int]:
    timeline = Timeline(fps, max_gap)
    return [timeline.show(at) for at in times]


def test_times_count_from_the_first_frame() -> None:
    """The unit is milliseconds."""
    assert shown([1e9, 1e9 + 0.2, 1e9 + 0.5, 1e9 + 30]) == [0, 200, 500, 30_000]


def test_a_rate_shows_frames_evenly() -> None:
    """With fps the frames' own times are ignored."""
    assert shown([0, 7, 7, 1], fps=4) == [0, 250, 500, 750]


def test_a_long_pause_is_cut() -> None:
    """Later frames keep their distances."""
    assert shown([0, 1000, 1000.5], max_gap=10) == [0, 10_000, 10_500]


def test_a_step_back_of_the_clock_takes_a_millisecond() -> None:
    """After a step back, time continues from where it was."""
    assert shown([100, 101, 50, 51]) == [0, 1000, 1001, 2000]


@given(st.lists(st.floats()), st.sampled_from([0.0, 0.1, 120.0]))
def test_times_of_the_video_always_increase(times: list[float], fps: float) -> None:
    """NaN, infinities and steps: strictly increasing, without a pause over the limit."""
    moments = shown(times, fps=fps, max_gap=60.0)
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(step >= 1 for step in steps)
    assert fps or all(step <= 60_001 for step in steps)
    assert not moments or moments[0] == 0
    assert all(math.isfinite(moment) for moment in moments)


def test_a_frame_lasts_until_the_next() -> None:
    """The last one lasts as long as the previous one."""
    assert list(with_durations([(0, "a"), (200, "b"), (700, "c")])) == [
        (0, 200, "a"),
        (200, 500, "b"),
        (700, 500, "c"),
    ]


def test_a_single_frame_lasts_a_second() -> None:
    """There is no other frame to derive it from."""
    assert list(with_durations([(0, "a")])) == [(0, ALONE, "a")]
