"""The fold of a session: limits, best shot, fail closed, and the same verdict after any replay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.bestshot import Bestshot
from aggregator.plugins.registry import Registry
from aggregator.plugins.result import Result
from aggregator.session import Outcome, Session
from shared.checks import Rules
from shared.config import Config
from shared.config_manual import LivenessSection
from shared.estimation import Estimate, Eyes, Liveness, Profile, Stage
from shared.messages import Open

OPEN = Open("", "0" * 32, 1000.0, 7, bytes(32))
OPEN_EYES = Eyes(0.3, 0.3, True, True)


def live(score: float, *, errors: tuple[int, ...] = (), quality: float = 1.0) -> Estimate:
    return Estimate(
        640,
        480,
        Profile.PASSIVE,
        Stage.LIVENESS,
        errors,
        1,
        eyes=OPEN_EYES,
        liveness=Liveness(score, quality),
    )


BLURRED = Estimate(640, 480, Profile.PASSIVE, Stage.QUALITY, (3,), 1)


def session(*plugins: Plugin, **limits: int) -> Session:
    return Session(OPEN, list(plugins), LivenessSection(**limits))


def fold(judged: Session, seq: int, estimate: Estimate, frame: bytes | None = b"jpeg") -> Outcome:
    return judged.fold(seq, 1000.0 + seq, estimate, frame, replay=False)


def test_a_live_frame_is_accepted() -> None:
    """The first frame that passes everything ends the session with success."""
    judged = session(Result(needs_best=False))
    assert not fold(judged, 1, BLURRED).final
    assert fold(judged, 2, live(0.9)).accepted
    assert judged.context.best_frame == b"jpeg"


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(640, 480, Profile.PASSIVE, Stage.AGS, (), 1),
        replace(live(0.9), profile=Profile.ACTIVE),
        live(0.1, errors=(32,)),
        Estimate(0, 0),
    ],
    ids=["no liveness", "active profile", "not live", "nothing measured"],
)
@pytest.mark.parametrize("plugins", [[], [Result(needs_best=False)]], ids=["none", "result"])
def test_nothing_less_is_ever_accepted(estimate: Estimate, plugins: list[Plugin]) -> None:
    """Whatever plugins are on: no liveness, no success."""
    outcome = fold(session(*plugins), 1, estimate)
    assert not outcome.accepted
    assert outcome.errors


def test_a_frame_whose_picture_is_missing_is_not_accepted() -> None:
    """A token without best shot is no token."""
    outcome = fold(session(), 1, live(0.9), frame=None)
    assert outcome.final
    assert not outcome.accepted


def test_max_attempts_ends_with_the_current_result() -> None:
    """The last allowed frame's codes are final."""
    judged = session(maxAttempts=2)
    assert not fold(judged, 1, BLURRED).final
    last = fold(judged, 2, BLURRED)
    assert (last.final, last.accepted, last.errors) == (True, False, (3,))


def test_max_liveness_attempts_counts_only_frames_that_came_so_far() -> None:
    """Frames refused earlier are free."""
    judged = session(maxLivenessAttempts=2)
    outcomes = [fold(judged, n, BLURRED) for n in range(1, 6)]
    outcomes.append(fold(judged, 6, live(0.1, errors=(32,))))
    assert not any(outcome.final for outcome in outcomes)
    assert fold(judged, 7, live(0.1, errors=(32,))).final


def test_a_plugin_that_raises_ends_its_session_without_success() -> None:
    """Code 71, and no success even for a perfect frame."""

    class Broken(Plugin):
        def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
            raise RuntimeError("broken")

    outcome = fold(session(Broken(), Result(needs_best=False)), 1, live(0.9))
    assert (outcome.final, outcome.accepted, outcome.errors) == (True, False, (71,))


def test_closing_without_a_verdict_fails_with_code_40() -> None:
    """A session that just ends has not succeeded; one with a verdict keeps it."""
    assert session().close(2000.0).errors == (40,)
    judged = session()
    accepted = fold(judged, 1, live(0.9))
    assert judged.close(2000.0) is accepted


def test_bestshot_ignores_closed_eyes_and_poor_quality() -> None:
    """Only frames fit for it count; ties keep the earlier one."""
    judged = session(Bestshot(Rules()))
    shut = replace(live(0.99), eyes=Eyes(0.0, 0.0, False, False))
    for seq, estimate in enumerate([shut, live(0.98, quality=0.4)], 1):
        judged.plugins[0].on_estimate(
            judged.context, FrameJudgement(seq, estimate, b"", list(estimate.errors))
        )
    assert judged.context.best_seq == 0


SCORES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.6, 0.9]), st.booleans()), min_size=1, max_size=12
)


@given(SCORES, st.data())
def test_a_replay_gives_the_same_verdict(
    scores: list[tuple[float, bool]], data: st.DataObject
) -> None:
    """Restarted after any frame and fed its log, the aggregator goes on as if nothing had been."""
    config = Config.model_validate(
        {"MIDDLEWARES": {"WS": {"Bestshot": {"isEnabled": True}}}, "LIVENESS": {"maxAttempts": 9}}
    )
    estimates = [live(s) if ok and s >= 0.5 else live(s, errors=(32,)) for s, ok in scores]

    def run(restart_after: int) -> list[Outcome]:
        judged = Session(OPEN, Registry(config).plugins(), config.LIVENESS)
        outcomes: list[Outcome] = []
        kept: tuple[int, bytes] = (0, b"")
        for seq, estimate in enumerate(estimates, 1):
            outcome = judged.fold(seq, 1000.0 + seq, estimate, b"%d" % seq, replay=False)
            outcomes.append(outcome)
            if outcome.keep:
                kept = (seq, b"%d" % seq)
            if outcome.final:
                break
            if seq == restart_after:
                judged = Session(OPEN, Registry(config).plugins(), config.LIVENESS)
                for old, past in enumerate(estimates[:seq], 1):
                    frame = kept[1] if old == kept[0] else None
                    judged.fold(old, 1000.0 + old, past, frame, replay=True)
        return outcomes

    assert run(data.draw(st.integers(1, len(estimates)))) == run(0)


class Objecting(Plugin):
    """Objects to the first frame, with a code."""

    def __init__(self, code: int) -> None:
        self._code = code

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        if frame.seq == 1:
            frame.refuse(self._code)


@pytest.mark.parametrize(("code", "best"), [(1001, b"second"), (37, b"first")])
def test_a_frame_that_a_plugin_objects_to_is_no_best_shot(code: int, best: bytes) -> None:
    """Also when that plugin runs after Bestshot; one that waits for more frames does not object."""
    judged = session(Bestshot(Rules()), Objecting(code), Result(needs_best=True))
    assert fold(judged, 1, live(0.99), b"first").keep is (best == b"first")
    assert fold(judged, 2, live(0.9), b"second").accepted
    assert judged.context.best_frame == best
