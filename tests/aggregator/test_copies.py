"""Copies of frames: they count for nothing, and three in a row end the session."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.copies import MAX_IN_A_ROW
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.registry import Registry
from aggregator.session import Outcome, Session
from shared.codes import Code
from shared.estimation import Estimate, Stage
from shared.messages import Open
from tests.support.judge import SESSION, live, plugin_config

COPY = (Code.REPEATED_FRAME,)


def picture(number: int, **changes: Any) -> Estimate:
    """The estimate of a picture; equal numbers, equal pixels."""
    return live(pixels=number.to_bytes(16), **changes)


NO_FACE = Estimate(640, 480, stage=Stage.FACES, errors=(Code.NO_FACE,))


class Watcher(Plugin):
    """Sees frames, and accepts none."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        self.seen.append(frame.seq)
        frame.refuse(Code.AGGREGATING)


def play(session: Session, estimates: list[Estimate]) -> list[Outcome]:
    """Show frames until the session ends."""
    outcomes = []
    for seq, estimate in enumerate(estimates, 1):
        outcome = session.fold(seq, 1000.0 + seq, estimate, b"jpeg %d" % seq, replay=False)
        assert isinstance(outcome, Outcome)
        outcomes.append(outcome)
        if outcome.final:
            break
    return outcomes


def watched(estimates: list[Estimate]) -> tuple[list[int], list[Outcome]]:
    """What a plugin sees of frames, and what they led to."""
    watcher = Watcher()
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = Session(opened, [watcher], plugin_config({}).LIVENESS)
    return watcher.seen, play(session, estimates)


@pytest.mark.parametrize("order", [[1, 1], [1, 2, 1], [1, 2, 3, 4, 5, 1]])
def test_no_plugin_sees_a_copy(order: list[int]) -> None:
    """Of the frame before, or of any earlier one; its code is 72 alone."""
    seen, outcomes = watched([picture(number) for number in order])
    assert seen == list(range(1, len(order)))
    assert outcomes[-1].errors == COPY
    assert not outcomes[-1].final


def test_a_copy_of_a_frame_that_failed_is_one() -> None:
    """And has not that frame's code any more."""
    failed = picture(1, errors=(Code.LOW_LIVENESS,))
    errors = [outcome.errors for outcome in watched([failed] * 2)[1]]
    assert errors == [(Code.LOW_LIVENESS, Code.AGGREGATING), COPY]


def test_three_copies_in_a_row_end_the_session() -> None:
    """Without success, by code 72."""
    _, outcomes = watched([picture(1)] * 9)
    assert len(outcomes) == 1 + MAX_IN_A_ROW
    last = outcomes[-1]
    assert (last.final, last.accepted, last.errors) == (True, False, COPY)


def test_a_new_picture_ends_a_row() -> None:
    """A client may be somewhat faster than its camera."""
    _, outcomes = watched([picture(n // MAX_IN_A_ROW) for n in range(60)])
    assert len(outcomes) == 60
    assert sum(outcome.errors == COPY for outcome in outcomes) == 40


def test_frames_that_fail_early_are_no_copies() -> None:
    """A camera that starts shows the same black picture; between copies it changes nothing."""
    _, outcomes = watched([NO_FACE] * 20)
    assert {outcome.errors for outcome in outcomes} == {(Code.NO_FACE, Code.AGGREGATING)}
    _, outcomes = watched([picture(1), picture(1), NO_FACE, picture(1), NO_FACE, picture(1)])
    assert outcomes[-1].final


ALL: dict[str, dict[str, Any] | None] = {
    "FaceMatcher": None,
    "VirtualCameraChecker": None,
    "Bestshot": None,
    "AggregateLiveness": {"framesCount": 3},
    "ActiveLiveness": {"interactionsCount": 1},
}


@pytest.mark.parametrize("name", ALL)
def test_one_picture_is_never_enough_for_a_plugin_that_counts(name: str) -> None:
    """However often it is sent between others that fail, it counts once."""
    face = b"\0\0\x80\x3f"
    config = plugin_config({"AggregateLiveness": {"framesCount": 3}, name: ALL[name]})
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = Session(opened, Registry(config).plugins(), config.LIVENESS)
    failed = [picture(n, errors=(Code.LIVENESS_FAILED,), liveness=None) for n in range(2, 30)]
    same = picture(1, descriptor=face)
    outcomes = play(session, [frame for one in failed for frame in (same, one)])
    assert len(outcomes) == 56
    assert session.context.data["aggregateLiveness"]["frames"] == 1
    assert session.context.best_seq in (0, 1)


def test_a_copy_is_an_attempt() -> None:
    """It counts for ``maxAttempts``, which bounds what a session costs."""
    config = plugin_config({}, LIVENESS={"maxAttempts": 2})
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = Session(opened, [Watcher()], config.LIVENESS)
    assert [outcome.final for outcome in play(session, [picture(1)] * 3)] == [False, True]


def test_an_older_log_without_digests_is_judged_as_ever() -> None:
    """An estimate without a digest is no copy of another one."""
    seen, outcomes = watched([live()] * 5)
    assert seen == [1, 2, 3, 4, 5]
    assert not outcomes[-1].final
