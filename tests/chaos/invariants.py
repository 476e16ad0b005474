"""Invariants of every history, as pure functions from a history to its violations.

The expected verdict is computed here again from the frames alone, with the few rules of the stamp
backend, and shares no code with the service.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jwt

from tests.chaos.attempt import Attempt, SentFrame
from tests.chaos.history import History
from tests.chaos.pictures import picture
from tests.support.stamp import OFFSET, PEOPLE, shown_jpeg

LIVE_FROM = 20
"""The stamp backend takes numbers from this one on for live."""
LOW_LIVENESS = 32
NOT_JUDGED = ([1], [2])


@dataclass(frozen=True)
class Terms:
    """The conditions of a run.

    Attributes:
        deadline: seconds within which a frame is answered.
        grace: additional seconds granted.
        stopped: intervals in which the gateway itself was suspended; they do not count.
        attempts: judged frames after which a session ends.
        key: key of the tokens' signatures.
        until: time at which the history ends.
    """

    deadline: float
    grace: float
    stopped: tuple[tuple[float, float], ...]
    attempts: int
    key: str
    until: float

    def seconds(self, begin: float, end: float) -> float:
        """Return the length of an interval without the time in which the gateway was suspended."""
        pauses = sum(max(0.0, min(end, b) - max(begin, a)) for a, b in self.stopped)
        return end - begin - pauses


@dataclass(frozen=True)
class Violation:
    """A broken invariant."""

    invariant: str
    person: int
    what: str


Invariant = Callable[[Attempt, Terms], Iterator[str]]


def one_answer(attempt: Attempt, terms: Terms) -> Iterator[str]:
    """Every accepted frame gets exactly one answer, at most two seconds after its deadline."""
    for stray in attempt.strays:
        yield f"{stray.kind} for frame {stray.seq}, which was not sent"
    for frame in attempt.frames:
        if len(frame.answers) > 1:
            yield f"frame {frame.seq} has {len(frame.answers)} answers"
        if frame.lost:
            continue
        limit = terms.deadline + terms.grace
        answered = frame.answers[0].at if frame.answers else frame.cut or terms.until
        seconds = terms.seconds(frame.sent, answered)
        resumed = frame.answers and frame.answers[0].connection != frame.connection
        if seconds > limit and not resumed:
            yield f"frame {frame.seq} had no answer for {seconds:.1f} s"


def one_verdict(attempt: Attempt, _terms: Terms) -> Iterator[str]:
    """A session has at most one verdict, and exactly one if the client stayed."""
    texts = {repr(result.body) for result in attempt.results}
    if len(texts) > 1:
        yield f"{len(texts)} different verdicts"
    connections = [result.connection for result in attempt.results]
    if len(connections) != len(set(connections)):
        yield "two verdicts on one connection"
    if attempt.lost:
        yield "the session was lost"
    elif not attempt.left and not attempt.results:
        yield "no verdict for a client that stayed"


def own_frames(attempt: Attempt, _terms: Terms) -> Iterator[str]:
    """No answer contains another session's frame, nor another frame of the same session."""
    for frame in attempt.frames:
        status = frame.status
        if status is None or "faceFramePosition" not in status.body["details"]:
            continue
        rect = status.body["details"]["faceFramePosition"]["faceRect"]
        seen = (rect["x"] - OFFSET, rect["y"] - OFFSET)
        if seen != (attempt.person % PEOPLE, frame.number):
            yield f"frame {frame.seq} (number {frame.number}) was answered as {seen}"


def same_verdict(attempt: Attempt, terms: Terms) -> Iterator[str]:
    """The verdict is the one that the same frames get without faults."""
    judged = 0
    for frame in attempt.frames:
        if frame.status is not None:
            judged += 1
            yield from _same_status(frame)
    uncertain = [frame for frame in attempt.frames if frame.uncertain]
    for result in attempt.results[:1]:
        if result.body["isOk"]:
            yield from _accepted_rightly(attempt, uncertain, result.body["jwt"], terms.key)
        elif result.body["jwt"] is not None:
            yield "a token without success"
        elif not judged <= terms.attempts <= judged + len(uncertain):
            yield f"refused after {judged} judged frames, not {terms.attempts}"
    accepted = any(f.status and f.status.body["isOk"] for f in attempt.frames)
    if accepted and not all(result.body["isOk"] for result in attempt.results):
        yield "a frame was accepted, the session was not"


def _same_status(frame: SentFrame) -> Iterator[str]:
    assert frame.status is not None
    errors = frame.status.body["errors"]
    expected = [] if frame.number >= LIVE_FROM else [LOW_LIVENESS]
    if errors != expected and errors not in NOT_JUDGED:
        yield f"number {frame.number} has errors {errors}, without faults {expected}"


def _accepted_rightly(
    attempt: Attempt, uncertain: list[SentFrame], token: str, key: str
) -> Iterator[str]:
    claims = jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False})
    candidates = [f for f in attempt.frames if f.status is not None and f.status.body["isOk"]]
    candidates += [frame for frame in uncertain if frame.number >= LIVE_FROM]
    shots = {_shot(attempt.person, frame) for frame in candidates}
    if (base64.b64decode(claims["bestshot"]), claims["bestshotSource"]["sha256"]) not in shots:
        yield "the best shot is not, byte for byte, that of an accepted frame of this session"


def _shot(person: int, frame: SentFrame) -> tuple[bytes, str]:
    """Return the image and the source's digest in the token for a frame without faults."""
    sent = picture(person, frame.number, frame.seq)
    return shown_jpeg(sent), hashlib.sha256(sent).hexdigest()


INVARIANTS: tuple[Invariant, ...] = (one_answer, one_verdict, own_frames, same_verdict)


def check(history: History, terms: Terms) -> list[Violation]:
    """Check every attempt of a history against every invariant."""
    return [
        Violation(invariant.__name__, person, what)
        for person, events in history.attempts().items()
        for attempt in [Attempt.read(person, events)]
        for invariant in INVARIANTS
        for what in invariant(attempt, terms)
    ]
