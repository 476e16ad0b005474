"""Sessions drawn from the frames of presentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from evaluation.judging import Measured
from evaluation.simulation import BLOCK, presentations, simulate
from shared.codes import Code
from shared.errors import ResourceError
from shared.frame.checks import Rules
from tests.evaluation.estimates import estimate, presentation

RULES = Rules()


def video(scores: Sequence[float], name: str = "live/a/1.mp4", species: str = "") -> Measured:
    frames = (estimate(score) for score in scores)
    return presentation(*frames, name=name, species=species, subject="a")


def drawn(
    *shown: Measured, sessions: int = 1, frames: int = 20, block: int = BLOCK
) -> list[list[float]]:
    found = simulate(shown, RULES, sessions=sessions, frames=frames, block=block).sessions
    return [[one.liveness.score for one in session.frames if one.liveness] for session in found]


def correlation(scores: Sequence[float]) -> float:
    """Return the correlation of a score with the next one."""
    return float(np.corrcoef(scores[:-1], scores[1:])[0, 1])


def test_neighbouring_frames_stay_similar() -> None:
    """Scores that change slowly in the frames do so in a drawn session, except in blocks of one."""
    slow = video((0.5 + 0.4 * np.sin(np.arange(60) / 10)).tolist())
    (session,), (independent,) = (drawn(slow, frames=1000, block=n) for n in (BLOCK, 1))
    assert correlation(session) > 0.8
    assert abs(correlation(independent)) < 0.2


def test_models_that_need_actions_cannot_be_simulated() -> None:
    """All sessions would be refused, live and attack alike."""
    weak = presentation(replace(estimate(0.9), needs_actions=True), name="live/a.jpg")
    with pytest.raises(ResourceError, match="needs actions"):
        simulate([weak], RULES, sessions=1, frames=20)


def test_a_session_has_frames_of_one_presentation() -> None:
    """They are the same in every run, whatever else the set contains."""
    low, high = video([0.1, 0.2, 0.3]), video([0.7, 0.8, 0.9], "live/b/1.mp4")
    sessions = drawn(low, high, sessions=5)
    assert [len(one) for one in sessions] == [20] * 10
    assert {score for one in sessions[:5] for score in one} == {0.1, 0.2, 0.3}
    assert sessions[5:] == drawn(high, sessions=5)
    assert len({tuple(one) for one in sessions}) == 10


def test_a_single_image_varies_like_other_presentations() -> None:
    """Those of its species are used, if any; an image without a score stays without one."""
    shown = [
        video([0.49, 0.51] * 4, "attack/print/a/1.mp4", "print"),
        video([0.05, 0.95] * 4),
        presentation(estimate(0.8), name="attack/print/b.jpg", species="print"),
        presentation(estimate(0.8), name="attack/mask/c.jpg", species="mask"),
        presentation(estimate(0.8, faces=0), name="live/d.jpg"),
    ]
    _, _, steady, other, none = drawn(*shown)
    assert 0.78 < min(steady) < 0.8 < max(steady) < 0.82
    assert len(set(other)) > 1
    assert none == []
    found = simulate(shown, RULES, sessions=1, frames=50)
    assert found.single == 3
    assert found.deviation == pytest.approx(2.2, abs=0.1)  # log odds of .95 are 2.9, half of them 0


def test_a_set_of_single_images_is_refused() -> None:
    """The error says what to add."""
    with pytest.raises(ResourceError, match="several images of each subject"):
        drawn(presentation(estimate(0.9)), presentation(estimate(0.1), name="attack/x/1.jpg"))


def test_frames_that_another_check_refuses_show_how_the_score_varies() -> None:
    """There are two faces, for example; the scores of the judged one are as good."""
    small = presentation(*(estimate(score, faces=2) for score in (0.4, 0.6)), name="live/a/1.mp4")
    assert len(set(drawn(small, presentation(estimate(0.8)))[1])) == 2


def test_frames_are_judged_as_by_a_worker() -> None:
    """It stops at the first failed check, so a frame with two faces has no score."""
    crowded = estimate(0.9, faces=2)
    (session,) = simulate(
        [presentation(crowded, estimate(0.3))], RULES, sessions=1, frames=9
    ).sessions
    kinds = {(one.errors, one.liveness is None) for one in session.frames}
    assert kinds == {((Code.SEVERAL_FACES,), True), ((Code.LOW_LIVENESS,), False)}


def test_images_of_a_folder_are_one_presentation() -> None:
    """They are in the order of their numbers; images without a folder stay alone."""
    shown = [
        presentation(estimate(0.1), name="live/a/10.jpg", subject="a"),
        presentation(estimate(0.2), name="live/a/2.jpg", subject="a"),
        presentation(estimate(0.3), name="attack/print/a/2.jpg", subject="a", species="print"),
        presentation(estimate(0.4), name="live/b.jpg"),
        presentation(estimate(0.5), name="live/c.jpg"),
        presentation(estimate(0.6), estimate(0.7), name="live/a/3.mp4", subject="a"),
    ]
    scores = [
        [frame.liveness.score for frame in one.frames if frame.liveness]
        for one in presentations(shown)
    ]
    assert sorted(scores) == [[0.2, 0.1], [0.3], [0.4], [0.5], [0.6, 0.7]]


def test_a_presentation_is_unreached_if_none_of_its_frames_passes_the_earlier_checks() -> None:
    """It counts even if a drawn session happens to have none of the frames that pass."""
    rare = presentation(*[estimate(0.9, faces=2)] * 99, estimate(0.9), name="live/a/1.mp4")
    never = presentation(*[estimate(0.9, faces=2)] * 5, name="live/b/1.mp4")
    found = simulate([rare, never], RULES, sessions=3, frames=2)
    assert found.unreached == 1
