"""A simulated estimator: what a worker would measure of a synthetic person, without any image."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from aggregator.entry import Entry, Pending
from aggregator.frame_memory import Claim, LocalFrames
from aggregator.plugins.base import Question
from aggregator.plugins.registry import Registry
from aggregator.policy import UNKNOWN, Basis
from aggregator.session import JudgedSession, Outcome
from aggregator.sinks.events import Event
from aggregator.verdict import VerdictWriter
from gateway.sessions.registry import SessionRegistry
from gateway.sessions.unsettled import Unsettled
from gateway.state.session import Session as GatewaySession
from loadtest.script import GESTURES, STRAIGHT, Actor
from loadtest.synthetic.look import Look
from shared.codes import Code
from shared.config.service import Config
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Eyes, HeadPose, Liveness, Profile, Stage
from shared.frame.scene import COLUMNS, ROWS
from shared.signing import Signer
from shared.wire.messages import Judge, Open, Resumed, decode, decode_estimate, encode
from shared.wire.records import History, Judged
from tests.support.clock import SettableClock
from tests.support.eyes import drawn_eyelids
from tests.support.judge import SESSION, live, shot

ASKS = {Code(code): made for code, made in GESTURES.items() if made is not STRAIGHT}
"""The gesture for each prompt of an action."""
STRAIGHT_DEG = 20.0
Director = Callable[[float, tuple[int, ...]], Look]
"""Returns the look at a time, given the codes of the previous frame."""


def describe(look: Look) -> bytes:
    """A descriptor that changes as the head turns: .82 to the straight one at 28 degrees."""
    sideways, upwards = math.sin(0.022 * look.yaw), math.sin(0.022 * look.pitch)
    forward = math.sqrt(max(0.0, 1.0 - sideways**2 - upwards**2))
    return struct.pack("<3f", forward, sideways, upwards)


def seen(
    look: Look, profile: Profile, *, number: int = 0, picture: int = 0, passive: bool = True
) -> Estimate:
    """Return the estimate of a look; equal images have equal pixels."""
    left, right = (max(0.05, 0.3 * (1 - c)) for c in (look.left_eye_closed, look.right_eye_closed))
    estimate = live(
        profile=profile,
        head_pose=HeadPose(look.yaw, look.pitch, look.roll),
        eyes=Eyes(left, right, left >= 0.2, right >= 0.2),
        liveness=None,
        descriptor=describe(look),
    )
    estimate.pixels = picture.to_bytes(16)
    if profile is Profile.PASSIVE:
        estimate.eyelids = drawn_eyelids(0.3 - (left + right) / 2 + number % 3 / 200)
        estimate.scene = bytes((n * number) % 256 for n in range(COLUMNS * ROWS))
    if profile is Profile.ACTIVE:
        estimate.stage = Stage.EYES
    elif max(abs(look.yaw), abs(look.pitch)) > STRAIGHT_DEG:
        estimate.stage, estimate.errors = Stage.HEAD_POSE, (Code.TURN_LEFT,)
    elif left < 0.2 and right < 0.2:
        estimate.stage, estimate.errors = Stage.EYES, (Code.EYES_CLOSED,)
    elif passive:
        estimate.liveness = Liveness(0.9 + number % 7 / 100, 1.0)
    else:
        estimate.stage, estimate.ags = Stage.AGS, 0.9
    return estimate


def obeying(seed: int = 0) -> Director:
    """A person who follows the prompts."""
    actor = Actor(seed)

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        for code in codes:
            actor.ask(code)
        return actor.look(now)

    return direct


class Stamps:
    """The gateways of a session, as far as they measure its time.

    Args:
        config: the configuration.
        opened: the event that starts the session.
        steps: steps of the wall clock in seconds, by the number of the next frame.

    Attributes:
        clock: clock of the gateway that has the session now.
    """

    def __init__(self, config: Config, opened: Open, steps: Mapping[int, float]) -> None:
        self._config = config
        self._opened = opened
        self._steps = steps
        self.clock = SettableClock(opened.at, monotonic_time=0.0)
        self._session = self._revived([], 0.0)

    def _revived(self, log: list[Judged], elapsed: float) -> GatewaySession:
        unsettled = Unsettled(self._config.MIDDLEWARES.WS, 0)
        registry = SessionRegistry(self._config, unsettled, clock=self.clock)
        return registry.revive(self._opened, log, None, None, elapsed)

    def advance_to(self, now: float, number: int) -> None:
        """Let time pass until these seconds after the opening; then the wall clock may step."""
        self.clock.advance(now - self._session.elapsed)
        self.clock.monotonic_time = self._session.started + now  # exactly
        self.clock.step(self._steps.get(number, 0.0))

    def hand_over(self, log: list[Judged], base: float) -> None:
        """Let another gateway, whose monotonic clock reads ``base`` now, continue with the log."""
        elapsed = self._session.elapsed
        self.clock = SettableClock(self.clock.wall_time, base)
        self._session = self._revived(log, elapsed)

    def stamp(self, number: int, estimate: Estimate) -> Judged:
        """Stamp the frame that arrives now."""
        at = self._session.time_of(self.clock.monotonic())
        return Judged(number, at, encode(estimate), wall=self.clock.wall())


Outside = Callable[[int], bytes | None]
"""Returns the external answer to a question about the frame with a number."""


@dataclass
class Played:
    """A session that was played to its end.

    Attributes:
        session: the session.
        outcomes: outcome of each frame.
        asked: numbers of the frames with an external question.
        log: the gateway's log.
        kept: the best shot so far.
        events: what side-effect plugins received.
        result: text of RESULT.
    """

    session: JudgedSession
    outcomes: list[Outcome] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    log: list[Judged] = field(default_factory=list)
    kept: BestShot | None = None
    events: list[Event] = field(default_factory=list)
    result: str = ""

    @property
    def last(self) -> Outcome:
        """The outcome of the last frame."""
        return self.outcomes[-1]

    @property
    def prompts(self) -> list[int]:
        """Codes that prompted something, without repetitions."""
        codes = [code for outcome in self.outcomes for code in outcome.errors if 61 <= code <= 68]
        return [code for n, code in enumerate(codes) if n == 0 or code != codes[n - 1]]


def play(
    config: Config,
    director: Director,
    *,
    seed: int = 7,
    fps: float = 10.0,
    seconds: float = 90.0,
    passive: bool = True,
    outside: Outside = lambda number: None,
    restarts: Collection[int] = (),
    handovers: Collection[int] = (),
    blur: Collection[int] = (),
    basis: Callable[[int], Basis] = lambda number: UNKNOWN,
    copies: Collection[int] = (),
    refused: Collection[int] = (),
    elsewhere: Mapping[int, Claim] | None = None,
    steps: Mapping[int, float] | None = None,
    answers_after: Callable[[], float] | None = None,
    encodes_all: bool = False,
) -> Played:
    """Play a session at the level of the fold until it ends or time is over.

    Args:
        config: the configuration.
        director: the person.
        seed: seed of the session.
        fps: frames in a second.
        seconds: longest time.
        passive: a model measures liveness.
        outside: answers questions.
        restarts: numbers of frames during which the aggregator dies and gets its log again.
        handovers: numbers of frames before which another gateway takes over the session.
        blur: numbers of frames that are blurred.
        basis: returns the rules and models that judge the frame with a number.
        copies: numbers of frames that have the pixels of the previous one.
        refused: numbers of frames that are refused for low liveness, if it is measured.
        elsewhere: numbers of frames that another session has sent before.
        steps: steps of the wall clock in seconds, by the number of the next frame.
        answers_after: returns the seconds from a frame's arrival to the sending of its answer; None
            if the gateway does not know when it was sent.
        encodes_all: the gateway encodes every frame that passed, not only those whose image may be
            used.
    """
    opened = Open("", SESSION, 1000.0, seed, bytes(32))
    registry = Registry(config)
    writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))

    memory = _memory(config, elsewhere or {})
    stamps = Stamps(config, opened, steps or {})

    def begin() -> Entry:
        plugins = registry.plugins()
        session = JudgedSession(
            opened, plugins, config.LIVENESS, registry.policy, config.LIMITS, memory
        )
        return Entry(session, b"", opened_at=0.0, touched=0.0, registry=registry)

    entry = begin()
    played = Played(entry.session)
    codes: tuple[int, ...] = ()
    profile = Profile.PASSIVE
    picture = 0
    prompted: float | None = None
    for number in range(1, int(seconds * fps)):
        now = number / fps
        picture = picture if number in copies else number
        look = director(now, codes)
        estimate = seen(look, profile, number=number, picture=picture, passive=passive)
        if number in blur:
            estimate = replace(
                estimate, errors=(Code.BLURRED,), stage=Stage.QUALITY, liveness=None, pixels=None
            )
        elif number in refused and estimate.ok and estimate.liveness is not None:
            low = Liveness(0.1, 1.0)
            estimate = replace(estimate, errors=(Code.LOW_LIVENESS,), liveness=low)
        rules, models = basis(number)
        estimate = replace(estimate, rules=rules, models=models)
        stamps.advance_to(now, number)
        if number in handovers:
            _hand_over(played)
            stamps.hand_over(played.log, base=1000.0 * number)
        judge = stamps.stamp(number, estimate)._replace(prompted=prompted)
        prompted = None if answers_after is None else judge.at + answers_after()
        best = _shot(number, estimate, None if encodes_all else entry.best_score)
        step = _fold(entry, judge, estimate, best, replay=False)
        if number in restarts:  # whether or not a question is open
            entry = begin()
            _feed(entry, played)
            step = _fold(entry, judge, estimate, best, replay=False)
        while isinstance(step, Question):
            if (known := step.at_once()) is not None:
                step = entry.session.resolve(known)
                continue
            played.asked.append(number)
            step = entry.session.resolve(outside(number))
        _process(played, entry, writer, estimate, judge._replace(answers=step.answers), step, best)
        codes, profile = step.errors, step.profile
        if step.final:
            break
    played.session = entry.session
    return played


def _memory(config: Config, elsewhere: Mapping[int, Claim]) -> LocalFrames:
    """A memory that survives the aggregator, as the one in Redis does."""
    memory = LocalFrames(config.LIMITS)
    for number, claim in elsewhere.items():
        memory.claim_now(number.to_bytes(16), "another session")
        if claim is Claim.ACCEPTED:
            memory.accept(number.to_bytes(16), "another session")
    return memory


def _shot(number: int, estimate: Estimate, best_score: float | None) -> BestShot | None:
    """Encode as the gateway: a frame that passed the full check, if its image may be used."""
    if not estimate.ok or estimate.profile is not Profile.PASSIVE:
        return None
    measured = estimate.liveness
    if best_score is not None and measured is not None and measured.score <= best_score:
        return None
    return shot(number, b"picture %d" % number)


def _fold(
    entry: Entry, judged: Judged, estimate: Estimate, best: BestShot | None, *, replay: bool
) -> Outcome | Question:
    return entry.session.fold(
        judged.seq,
        judged.at,
        estimate,
        None,
        replay=replay,
        shot=best,
        answers=judged.answers,
        wall=judged.wall,
        prompted=judged.prompted,
    )


def _hand_over(played: Played) -> None:
    """Pass a gateway's state to another, as the aggregator does on the wire."""
    history = History(b"opened", played.log, played.kept)
    resumed = decode(encode(Resumed(SESSION, bytes(32), history)))
    assert isinstance(resumed, Resumed)
    assert resumed.history is not None
    played.log, played.kept = resumed.history.judged, resumed.history.kept


def _feed(entry: Entry, played: Played) -> None:
    """Send a new aggregator the gateway's log; every frame must have the same outcome as before."""
    for judged, before in zip(played.log, played.outcomes, strict=True):
        best = played.kept if played.kept and judged.seq == played.kept.seq else None
        outcome = _fold(entry, judged, decode_estimate(judged.estimate), best, replay=True)
        assert outcome == before


def _process(
    played: Played,
    entry: Entry,
    writer: VerdictWriter,
    estimate: Estimate,
    judged: Judged,
    outcome: Outcome,
    best: BestShot | None,
) -> None:
    """Process an outcome as gateway and aggregator do."""
    played.log.append(judged)
    played.outcomes.append(outcome)
    if outcome.keep:
        played.kept = best
    message = Judge("", SESSION, judged.seq, judged.at, judged.estimate, b"sent", best)
    pending = Pending(b"", message, estimate, started=0.0)
    played.events.append(entry.frame_event(pending, outcome))
    if outcome.final:
        played.result = entry.result = writer.result(entry.session, outcome)
        entry.decoded_frames = len(played.log)
        played.events.append(entry.end_event(outcome))
