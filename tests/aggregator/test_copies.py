"""Copies of frames count for nothing, and three in a row end the session."""

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
    """The estimate of an image; equal numbers mean equal pixels."""
    return live(pixels=number.to_bytes(16), **changes)


NO_FACE = Estimate(640, 480, stage=Stage.FACES, errors=(Code.NO_FACE,))


class Watcher(Plugin):
    """Records the frames it sees and never accepts one."""

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
    """Return the frames that a plugin saw, and their outcomes."""
    watcher = Watcher()
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(opened, [watcher], plugin_config({}).LIVENESS)
    return watcher.seen, play(session, estimates)


@pytest.mark.parametrize("order", [[1, 1], [1, 2, 1], [1, 2, 3, 4, 5, 1]])
def test_no_plugin_sees_a_copy(order: list[int]) -> None:
    """A copy of any earlier frame gets code 72 alone."""
    seen, outcomes = watched([picture(number) for number in order])
    assert seen == list(range(1, len(order)))
    assert outcomes[-1].errors == COPY
    assert not outcomes[-1].final


def test_a_copy_of_a_failed_frame_gets_code_72() -> None:
    """It does not get the code of the original frame."""
    failed = picture(1, errors=(Code.LOW_LIVENESS,))
    errors = [outcome.errors for outcome in watched([failed] * 2)[1]]
    assert errors == [(Code.LOW_LIVENESS, Code.AGGREGATING), COPY]


def test_three_copies_in_a_row_end_the_session() -> None:
    """The session fails with code 72."""
    _, outcomes = watched([picture(1)] * 9)
    assert len(outcomes) == 1 + MAX_IN_A_ROW
    last = outcomes[-1]
    assert (last.final, last.accepted, last.errors) == (True, False, COPY)


def test_a_new_frame_resets_the_count_of_copies() -> None:
    """A client may send somewhat faster than its camera captures."""
    _, outcomes = watched([picture(n // MAX_IN_A_ROW) for n in range(60)])
    assert len(outcomes) == 60
    assert sum(outcome.errors == COPY for outcome in outcomes) == 40


def test_frames_that_fail_an_early_check_are_not_copies() -> None:
    """A camera that starts repeats a black image.

    Between copies such frames do not reset the count.
    """
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
def test_a_repeated_image_counts_once(name: str) -> None:
    """Plugins that count frames count it once, however often it is sent between failing frames."""
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


def test_a_copy_counts_as_an_attempt() -> None:
    """It counts for ``maxAttempts``, which limits the cost of a session."""
    config = plugin_config({}, LIVENESS={"maxAttempts": 2})
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    session = JudgedSession(opened, [Watcher()], config.LIVENESS)
    assert [outcome.final for outcome in play(session, [picture(1)] * 3)] == [False, True]


class OtherSessions:
    """A memory in which other sessions own some images; it counts the requests."""

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
) -> tuple[OtherSessions, JudgedSession, list[Outcome]]:
    """Show frames to a session; other sessions own some of the images."""
    config = plugin_config(plugins)
    memory = OtherSessions(answers)
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
    """It gets code 72 alone, and the log records the answer.

    The session continues with its own frames.
    """
    frames = [picture(number) for number in range(1, 6)]
    _, session, outcomes = claimed(frames, {1: REUSED, 3: REUSED}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [COPY, (37,), COPY, (37,), ()]
    assert [outcome.answers for outcome in outcomes[:2]] == [(REUSED,), (b"first",)]
    assert session.context.best_seq == 2


def test_three_frames_of_another_session_in_a_row_end_it() -> None:
    """They count like copies of its own frames, and together with them."""
    frames = [picture(n) for n in (1, 2, 1, 3, 4)]
    _, _, outcomes = claimed(frames, {2: REUSED, 3: REUSED}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [(37,), COPY, COPY, COPY]
    assert (outcomes[-1].final, outcomes[-1].accepted) == (True, False)


@pytest.mark.parametrize("plugins", [{}, THREE, {"VirtualCameraChecker": {"threshold": 1.0}}])
def test_a_reused_best_shot_of_an_accepted_session_ends_the_session(
    plugins: dict[str, Any],
) -> None:
    """The session fails with code 70, whatever plugins are on."""
    _, _, outcomes = claimed([picture(1)], {1: ACCEPTED}, **plugins)
    last = outcomes[-1]
    assert (last.errors, last.final, last.accepted) == ((Code.VIRTUAL_CAMERA,), True, False)


def test_frames_of_other_sessions_are_evidence_of_a_virtual_camera() -> None:
    """Two suffice at the default threshold; one may come from a client that started again."""
    plugins = {**THREE, "VirtualCameraChecker": None}
    answers = dict.fromkeys((1, 3), REUSED)
    _, session, outcomes = claimed([picture(n) for n in range(1, 9)], answers, **plugins)
    assert [outcome.errors for outcome in outcomes] == [COPY, (37,), (*COPY, Code.VIRTUAL_CAMERA)]
    assert outcomes[-1].final
    assert session.context.data["virtualCamera"]["evidence"] == {"reused": 2}


def test_a_frame_whose_claim_is_not_answered_counts_for_nothing() -> None:
    """It gets code 34, no plugin counts it, and the session continues."""
    _, session, outcomes = claimed([picture(n) for n in (1, 2)], {1: None}, **THREE)
    assert [outcome.errors for outcome in outcomes] == [(Code.EXTERNAL_FAILED,), (37,)]
    assert session.context.data["aggregateLiveness"]["frames"] == 1


def test_only_frames_that_may_decide_are_claimed() -> None:
    """Copies, frames of actions and frames that failed earlier checks are not claimed.

    Frames that are not live are.
    """
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


def test_a_replay_uses_the_logged_answers() -> None:
    """The outcomes are the same whatever the memory contains now, and nothing is asked again."""
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


def test_estimates_without_a_digest_are_not_copies() -> None:
    """Logs of older versions have no digests and give the same verdict as before."""
    seen, outcomes = watched([live()] * 5)
    assert seen == [1, 2, 3, 4, 5]
    assert not outcomes[-1].final
