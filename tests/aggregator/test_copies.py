"""Copies of frames: they count for nothing, and three in a row end the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aggregator.copies import MAX_IN_A_ROW
from aggregator.frame_memory import Claim, LocalFrames
from aggregator.plugins.base import FrameJudgement, Plugin, Question, SessionContext
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.config.service import LimitsSection
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

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


def play(session: JudgedSession, estimates: list[Estimate]) -> list[Outcome]:
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
    session = JudgedSession(opened, [watcher], plugin_config({}).LIVENESS)
    return watcher.seen, play(session, estimates)


@pytest.mark.parametrize("order", [[1, 1], [1, 2, 1], [1, 2, 3, 4, 5, 1]])
def test_no_plugin_sees_a_copy(order: list[int]) -> None:
    """Of the frame before, or of any earlier one; its code is 72 alone."""
    seen, outcomes = watched([picture(number) for number in order])
    assert seen == list(range(1, len(order)))
    assert outcomes[-1].errors == COPY
    assert not outcomes[-1].final


def test_a_copy_of_a_frame_that_failed_is_one() -> None:
    """And no longer has that frame's code."""
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
    session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)
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
    session = JudgedSession(opened, [Watcher()], config.LIVENESS)
    assert [outcome.final for outcome in play(session, [picture(1)] * 3)] == [False, True]


class Elsewhere:
    """A memory in which other sessions have pictures; it counts what it is asked."""

    def __init__(self, answers: dict[int, bytes | None]) -> None:
        self.asked: list[int] = []
        self._answers = answers

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        number = int.from_bytes(pixels)
        self.asked.append(number)
        answer = self._answers.get(number, b"first")

        async def ask() -> bytes:
            raise AssertionError("the answer is known")

        return Question(ask, 1.0, at_once=lambda: answer)

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        raise AssertionError("the fold knows no restart")

    def accept(self, pixels: bytes, session: str) -> None:
        raise AssertionError("the fold changes nothing")

    async def close(self) -> None:
        pass


def claimed(
    estimates: list[Estimate], answers: dict[int, bytes | None], **plugins: dict[str, Any] | None
) -> tuple[Elsewhere, JudgedSession, list[Outcome]]:
    """Show frames to a session some of whose pictures other sessions have."""
    config = plugin_config(plugins)
    memory = Elsewhere(answers)
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS, memory=memory)
    outcomes = []
    for seq, estimate in enumerate(estimates, 1):
        step = session.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq))
        while isinstance(step, Question):
            step = session.resolve(step.at_once())
        outcomes.append(step)
        if step.final:
            break
    return memory, session, outcomes


REUSED, ACCEPTED = Claim.REUSED.value, Claim.ACCEPTED.value
THREE: dict[str, Any] = {"AggregateLiveness": {"framesCount": 3}, "Bestshot": None}


def test_a_frame_of_another_session_counts_for_nothing() -> None:
    """Code 72 alone; the answer is in the log. The session continues with frames of its own."""
    frames = [picture(number) for number in range(1, 6)]
    _, session, outcomes = claimed(frames, {1: REUSED, 3: REUSED}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [COPY, (37,), COPY, (37,), ()]
    assert [outcome.answers for outcome in outcomes[:2]] == [(REUSED,), (b"first",)]
    assert session.context.best_seq == 2


def test_three_frames_of_another_session_in_a_row_end_it() -> None:
    """As copies of its own do, and together with them."""
    frames = [picture(n) for n in (1, 2, 1, 3, 4)]
    _, _, outcomes = claimed(frames, {2: REUSED, 3: REUSED}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [(37,), COPY, COPY, COPY]
    assert (outcomes[-1].final, outcomes[-1].accepted) == (True, False)


@pytest.mark.parametrize("plugins", [{}, THREE, {"VirtualCameraChecker": {"threshold": 1.0}}])
def test_the_best_shot_of_an_accepted_session_ends_it(plugins: dict[str, Any]) -> None:
    """By code 70, whatever plugins are on."""
    _, _, outcomes = claimed([picture(1)], {1: ACCEPTED}, **plugins)
    last = outcomes[-1]
    assert (last.errors, last.final, last.accepted) == ((Code.VIRTUAL_CAMERA,), True, False)


def test_frames_of_other_sessions_are_evidence_of_a_virtual_camera() -> None:
    """Two are enough at the default threshold; one may come from a client that begins again."""
    plugins = {**THREE, "VirtualCameraChecker": None}
    answers = dict.fromkeys((1, 3), REUSED)
    _, session, outcomes = claimed([picture(n) for n in range(1, 9)], answers, **plugins)
    assert [outcome.errors for outcome in outcomes] == [COPY, (37,), (*COPY, Code.VIRTUAL_CAMERA)]
    assert outcomes[-1].final
    assert session.context.data["virtualCamera"]["evidence"] == {"reused": 2}


def test_without_an_answer_the_frame_counts_for_nothing() -> None:
    """Code 34; no plugin counts it, and the session continues."""
    _, session, outcomes = claimed([picture(n) for n in (1, 2)], {1: None}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [(Code.EXTERNAL_FAILED,), (37,)]
    assert session.context.data["aggregateLiveness"]["frames"] == 1


def test_only_frames_that_may_decide_are_claimed() -> None:
    """A copy, an earlier failure and an action ask nothing; a frame that is not live does."""
    acting = {"profile": Profile.ACTIVE, "stage": Stage.EYES, "liveness": None}
    frames = [
        NO_FACE,
        picture(1),
        picture(1),
        picture(2, **acting),
        picture(3, errors=(Code.LOW_LIVENESS,)),
        picture(4, stage=Stage.AGS, liveness=None),
    ]
    memory, _, _ = claimed(frames, {}, AggregateLiveness={"framesCount": 9})
    assert memory.asked == [1, 3, 4]


def test_a_replay_takes_the_answers_of_the_log() -> None:
    """Whatever has become of the memory: the same outcomes, and nothing is asked again."""
    frames = [picture(number) for number in range(1, 6)]
    _, _, outcomes = claimed(frames, {1: REUSED, 3: REUSED}, **THREE)
    config = plugin_config(THREE)
    opened = Open("", SESSION, 1000.0, 7, bytes(32), replay=True)
    memory = LocalFrames(LimitsSection())
    again = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS, memory=memory)
    for seq, (estimate, before) in enumerate(zip(frames, outcomes, strict=True), 1):
        step = again.fold(
            seq, 1000.0 + seq, estimate, None,
            replay=True, shot=shot(seq), answers=before.answers,
        )  # fmt: skip
        assert step == before
    assert memory.claim_now((1).to_bytes(16), "other") is Claim.FIRST


def test_an_older_log_without_digests_is_judged_as_ever() -> None:
    """An estimate without a digest is no copy of another one."""
    seen, outcomes = watched([live()] * 5)
    assert seen == [1, 2, 3, 4, 5]
    assert not outcomes[-1].final
