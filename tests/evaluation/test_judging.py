from __future__ import annotations

from math import inf

import pytest

from evaluation.judging import failures, liveness_score, passes_earlier, served_score
from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection
from shared.frame.checks import Rules
from shared.frame.estimation import HeadPose, Liveness, Stage
from tests.evaluation.estimates import estimate, presentation

RULES = Rules()
TURNED = HeadPose(40, 0, 0)


def test_all_failures_are_listed_in_order() -> None:
    """A turned face that is not live fails at both stages; other rules give other failures."""
    frame = estimate(0.2, head_pose=TURNED)
    assert failures(frame, RULES) == [
        (Stage.HEAD_POSE, (Code.TURN_RIGHT,)),
        (Stage.LIVENESS, (Code.LOW_LIVENESS,)),
    ]
    lenient = Rules(ThresholdsSection(yaw=45, livenessScore=0.1))
    assert failures(frame, lenient) == []


def test_earlier_checks_leave_liveness_out() -> None:
    assert passes_earlier(estimate(0.0), RULES)
    assert not passes_earlier(estimate(1.0, head_pose=TURNED), RULES)


def test_liveness_alone_is_the_mean() -> None:
    """Frames without a score do not count; without any score the result is None."""
    shown = presentation(estimate(0.2, head_pose=TURNED), estimate(0.6), estimate(None))
    assert liveness_score(shown) == pytest.approx(0.4)
    assert liveness_score(presentation(estimate(None))) is None
    assert liveness_score(presentation()) is None


def test_the_best_frame_of_a_session_counts() -> None:
    """One good frame among bad ones is enough for an attacker, and must count as such."""
    shown = presentation(estimate(0.1), estimate(0.8), estimate(0.95, head_pose=TURNED))
    assert served_score(shown, RULES) == 0.8


def test_a_frame_with_moire_has_no_score() -> None:
    """The service refuses it as a screen, and it counts against the other frames."""
    rules = Rules(limits=ChecksSection(moire=5.0))
    screen = estimate(liveness=0.99)
    screen.liveness = Liveness(0.99, 1.0, moire=9.0)
    assert served_score(presentation(screen), rules) == 0.0
    assert served_score(presentation(screen), RULES) == 0.99
    assert served_score(presentation(screen, estimate(0.9)), rules, 2) == pytest.approx(0.45)


def test_aggregation_needs_enough_frames() -> None:
    """The last frame and the mean up to it both have to pass; too few frames never pass."""
    shown = presentation(estimate(0.1), estimate(0.8), estimate(0.6))
    assert served_score(shown, RULES, window=2) == pytest.approx(0.6)
    falling = presentation(estimate(0.9), estimate(0.2))
    assert served_score(falling, RULES, window=2) == pytest.approx(0.2)
    assert served_score(shown, RULES, window=4) == -inf


def test_unfit_frames_are_never_accepted() -> None:
    """A frame below the liveness quality threshold does not count as served."""
    assert served_score(presentation(estimate(liveness=None)), RULES) == -inf
    unfit = estimate()
    unfit.liveness = Liveness(0.99, 0.2)
    assert served_score(presentation(unfit), RULES) == -inf
