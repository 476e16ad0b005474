"""The fold of a session: limits, best shot, failing closed, and equal verdicts after any replay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.bestshot import Bestshot
from aggregator.plugins.registry import Registry
from aggregator.plugins.result import Result
from aggregator.session import JudgedSession, Outcome
from shared.config.luna_pass import LivenessSection
from shared.config.service import Config
from shared.frame.best_shot import BestShot
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Eyes, Liveness, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import shot

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


def session(*plugins: Plugin, **limits: int) -> JudgedSession:
    return JudgedSession(OPEN, list(plugins), LivenessSection(**limits))


def fold(
    judged: JudgedSession, seq: int, estimate: Estimate, image: bytes | None = b"jpeg"
) -> Outcome:
    best = shot(seq, image) if image is not None else None
    return judged.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=best)


def test_a_live_frame_is_accepted() -> None:
    """The first frame that passes everything ends the session with success."""
    judged = session(Result(needs_best=False))
    assert not fold(judged, 1, BLURRED).final
    assert fold(judged, 2, live(0.9)).accepted
    assert judged.context.best_shot == shot(2)


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(640, 480, Profile.PASSIVE, Stage.AGS, (), 1),
        replace(live(0.9), profile=Profile.ACTIVE),
        replace(live(0.9), needs_actions=True),
        live(0.1, errors=(32,)),
        Estimate(0, 0),
    ],
    ids=["no liveness", "active profile", "weak models", "not live", "nothing measured"],
)
@pytest.mark.parametrize("plugins", [[], [Result(needs_best=False)]], ids=["none", "result"])
def test_no_session_is_accepted_without_liveness(estimate: Estimate, plugins: list[Plugin]) -> None:
    """Whatever plugins are on, a frame without full liveness is refused."""
    outcome = fold(session(*plugins), 1, estimate)
    assert not outcome.accepted
    assert outcome.errors


def test_a_frame_without_an_image_is_not_accepted() -> None:
    """A token needs a best shot."""
    outcome = fold(session(), 1, live(0.9), image=None)
    assert outcome.final
    assert not outcome.accepted


def test_max_attempts_ends_the_session_with_the_current_result() -> None:
    """The codes of the last allowed frame are final."""
    judged = session(maxAttempts=2)
    assert not fold(judged, 1, BLURRED).final
    last = fold(judged, 2, BLURRED)
    assert (last.final, last.accepted, last.errors) == (True, False, (3,))


def test_max_liveness_attempts_counts_only_frames_that_reached_the_liveness_check() -> None:
    """Frames that an earlier check refused do not count."""
    judged = session(maxLivenessAttempts=2)
    outcomes = [fold(judged, n, BLURRED) for n in range(1, 6)]
    outcomes.append(fold(judged, 6, live(0.1, errors=(32,))))
    assert not any(outcome.final for outcome in outcomes)
    assert fold(judged, 7, live(0.1, errors=(32,))).final


def test_a_plugin_that_raises_fails_its_session() -> None:
    """Code 71, even for a perfect frame."""

    class Broken(Plugin):
        def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
            raise RuntimeError("broken")

    outcome = fold(session(Broken(), Result(needs_best=False)), 1, live(0.9))
    assert (outcome.final, outcome.accepted, outcome.errors) == (True, False, (71,))


def test_closing_without_a_verdict_fails_with_code_40() -> None:
    """A session that closes early fails; one that has a verdict keeps it."""
    assert session().close(2000.0).errors == (40,)
    judged = session()
    accepted = fold(judged, 1, live(0.9))
    assert judged.close(2000.0) is accepted


def test_bestshot_ignores_closed_eyes_and_poor_quality() -> None:
    """Only frames fit for it count, and of equal ones the earlier is kept."""
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
    """An aggregator restarted after any frame continues from the log with the same outcomes."""
    config = Config.model_validate(
        {"MIDDLEWARES": {"WS": {"Bestshot": {"isEnabled": True}}}, "LIVENESS": {"maxAttempts": 9}}
    )
    estimates = [live(s) if ok and s >= 0.5 else live(s, errors=(32,)) for s, ok in scores]

    def run(restart_after: int) -> list[Outcome]:
        judged = JudgedSession(OPEN, Registry(config).plugins(), config.LIVENESS)
        outcomes: list[Outcome] = []
        kept: BestShot | None = None
        for seq, estimate in enumerate(estimates, 1):
            outcome = judged.fold(
                seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq, b"%d" % seq)
            )
            outcomes.append(outcome)
            if outcome.keep:
                kept = shot(seq, b"%d" % seq)
            if outcome.final:
                break
            if seq == restart_after:
                judged = JudgedSession(OPEN, Registry(config).plugins(), config.LIVENESS)
                for old, past in enumerate(estimates[:seq], 1):
                    again = kept if kept is not None and kept.seq == old else None
                    judged.fold(old, 1000.0 + old, past, None, replay=True, shot=again)
        return outcomes

    assert run(data.draw(st.integers(1, len(estimates)))) == run(0)


class WrongImage(Plugin):
    """Combines the estimate of the last frame with the image of the first."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        context.best_seq, context.best = frame.seq, frame.estimate
        context.best_shot = context.best_shot or frame.shot


def test_a_token_shows_the_frame_that_was_measured() -> None:
    """The image of another frame of the same session is rejected as best shot."""
    judged = session(WrongImage())
    fold(judged, 1, live(0.1, errors=(32,)))
    outcome = fold(judged, 2, live(0.9))
    assert (outcome.final, outcome.accepted, outcome.errors) == (True, False, (40,))


class ImageRecorder(Plugin):
    """Records the image that it sees of each frame."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        self.seen.append(frame.frame)


def test_a_plugin_sees_the_judged_pixels_of_a_frame_that_passed() -> None:
    """Of every other frame it sees the bytes that the client sent."""
    looking = ImageRecorder()
    judged = session(looking)
    judged.fold(1, 1001.0, BLURRED, b"sent", replay=False)
    judged.fold(2, 1002.0, live(0.9), b"sent", replay=False, shot=shot(2, b"encoded"))
    assert looking.seen == [b"sent", b"encoded"]


class Objecting(Plugin):
    """Objects to the first frame, with a code."""

    def __init__(self, code: int) -> None:
        self._code = code

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        if frame.seq == 1:
            frame.refuse(self._code)


@pytest.mark.parametrize(("code", "best"), [(1001, b"second"), (37, b"first")])
def test_a_frame_that_a_plugin_objects_to_is_no_best_shot(code: int, best: bytes) -> None:
    """The order of the two plugins does not matter.

    A plugin that waits for more frames does not object.
    """
    judged = session(Bestshot(Rules()), Objecting(code), Result(needs_best=True))
    assert fold(judged, 1, live(0.99), b"first").keep is (best == b"first")
    assert fold(judged, 2, live(0.9), b"second").accepted
    assert judged.context.best_shot is not None
    assert judged.context.best_shot.image == best
