"""Whole sessions judged by the plugins: accepted, asked for an action, refused, undecided."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from aggregator.plugins.registry import Registry
from evaluation.judging import Measured
from evaluation.samples import Sample
from evaluation.session_summary import summarise_sessions
from evaluation.verdicts import SessionOutcome, SessionVerdict, judge_session
from shared.codes import Code
from shared.config.recommended import recommended
from shared.frame.estimation import Estimate, HeadPose, Liveness
from tests.support.eyes import drawn_eyelids
from tests.support.judge import live, plugin_config

CONFIG = recommended(plugin_config({}))
REGISTRY = Registry(CONFIG)


def frame(number: int, *, eyes: float, score: float = 0.9) -> Estimate:
    chance = random.Random(number)
    return live(
        pixels=number.to_bytes(16),
        descriptor=b"\0\0\x80\x3f" + bytes(508),
        eyelids=drawn_eyelids(chance.gauss(0, eyes)),
        head_pose=HeadPose(chance.gauss(0, 1), 0, 0),
        liveness=Liveness(score, 1.0),
        errors=() if score >= 0.5 else (Code.LOW_LIVENESS,),
    )


def judged(
    frames: list[Estimate], *, species: str = "", subject: str = "a", fps: float = 5.0
) -> SessionVerdict:
    sample = Sample(Path("x"), f"{species}/{subject}", species, subject)
    times = [100 + number / fps for number in range(len(frames))]
    return judge_session(Measured(sample, tuple(frames)), times, REGISTRY, CONFIG)


@pytest.mark.parametrize(
    ("eyes", "score", "count", "outcome"),
    [
        (0.05, 0.9, 40, SessionOutcome.ACCEPTED),
        (0.001, 0.9, 40, SessionOutcome.ASKED),
        (0.05, 0.001, 40, SessionOutcome.REFUSED),
        (0.05, 0.9, 6, SessionOutcome.UNDECIDED),
        (0.05, 0.9, 0, SessionOutcome.UNDECIDED),
    ],
)
def test_a_session_is_judged_as_in_the_service(
    eyes: float, score: float, count: int, outcome: SessionOutcome
) -> None:
    """The recommended plugins judge it, up to the frame that decides or asks for an action."""
    verdict = judged([frame(n, eyes=eyes, score=score) for n in range(1, count + 1)])
    assert verdict.outcome is outcome
    assert verdict.frames <= count
    if outcome is SessionOutcome.ASKED:
        assert (verdict.frames, verdict.seconds) == (21, pytest.approx(4.0))


def test_frames_that_are_far_apart_decide_by_their_number() -> None:
    """Eight frames .7 s apart are enough."""
    verdict = judged([frame(n, eyes=0.05) for n in range(1, 21)], fps=1 / 0.7)
    assert (verdict.outcome, verdict.frames) == (SessionOutcome.ACCEPTED, 8)


def test_repeated_frames_end_a_session() -> None:
    """Recordings that repeat pixels are refused as in the service."""
    verdict = judged([frame(1, eyes=0.05)] * 6)
    assert (verdict.outcome, verdict.codes) == (SessionOutcome.REFUSED, (Code.REPEATED_FRAME,))


def test_rates_by_species_with_intervals_by_subject() -> None:
    """Accepted attacks and refused live sessions are errors.

    Sessions asked for an action are not.
    """
    alive = [frame(n, eyes=0.05) for n in range(1, 30)]
    still = [frame(n, eyes=0.001) for n in range(1, 30)]
    poor = [frame(n, eyes=0.05, score=0.001) for n in range(1, 30)]
    summary = summarise_sessions(
        [
            judged(alive, subject="a"),
            judged(still, subject="b"),
            judged(poor, subject="c"),
            judged(alive[:3], subject="c"),
            judged(alive, species="print", subject="a"),
            judged(still, species="print", subject="b"),
            judged(still, species="phone", subject="b"),
        ]
    )
    assert summary["live"]["counts"] == {
        "accepted": 1,
        "asked": 1,
        "refused": 1,
        "undecided": 1,
    }
    assert (summary["live"]["bpcer"]["errors"], summary["live"]["asked"]["errors"]) == (2, 1)
    assert summary["live"]["bpcer"]["bySubject"] is not None
    assert summary["attacks"]["print"]["apcer"]["rate"] == 0.5
    assert summary["attacks"]["phone"]["apcer"]["rate"] == 0.0
    assert summary["allAttacks"]["apcer"]["of"] == 3
    assert [one["outcome"] for one in summary["sessions"]][:2] == ["accepted", "asked"]
