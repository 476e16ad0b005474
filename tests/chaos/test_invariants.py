"""Each invariant holds for a sound history, and fails for the violation that it detects."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace

import jwt
import pytest

from tests.chaos.attempt import Attempt
from tests.chaos.history import Event, History, Kind
from tests.chaos.invariants import Terms, check
from tests.chaos.pictures import picture
from tests.support.stamp import OFFSET, shown_jpeg

KEY = "k" * 32
TERMS = Terms(deadline=5, grace=2, stopped=(), attempts=3, key=KEY, until=100)


def status(number: int, *, person: int = 1, errors: list[int] | None = None) -> dict[str, object]:
    errors = ([] if number >= 20 else [32]) if errors is None else errors
    rect = {"x": person + OFFSET, "y": number + OFFSET}
    details = {} if errors in ([1], [2]) else {"faceFramePosition": {"faceRect": rect}}
    return {"isOk": not errors, "errors": errors, "details": details}


def token(person: int = 1, number: int = 25, source: int = 25) -> dict[str, object]:
    claims = {
        "bestshot": base64.b64encode(shown_jpeg(picture(person, number, 2))).decode(),
        "bestshotSource": {"sha256": hashlib.sha256(picture(person, source, 2)).hexdigest()},
    }
    return {"isOk": True, "jwt": jwt.encode(claims, KEY), "errors": []}


def as_sent() -> dict[str, object]:
    """Return a token that shows what the client sent."""
    sent = picture(1, 25, 2)
    claims = {
        "bestshot": base64.b64encode(sent).decode(),
        "bestshotSource": {"sha256": hashlib.sha256(sent).hexdigest()},
    }
    return {"isOk": True, "jwt": jwt.encode(claims, KEY), "errors": []}


REFUSED = {"isOk": False, "jwt": None, "errors": [32]}


def sound() -> list[Event]:
    """Return a sound history: two frames, the second is live, then the verdict."""
    return [
        Event(0, 1, Kind.CONNECTED, seq=0),
        Event(1, 1, Kind.SENT, seq=1, body=3),
        Event(2, 1, Kind.STATUS, seq=1, body=status(3)),
        Event(3, 1, Kind.SENT, seq=2, body=25),
        Event(4, 1, Kind.STATUS, seq=2, body=status(25)),
        Event(5, 1, Kind.RESULT, body=token()),
        Event(6, 1, Kind.CLOSED, body=1000),
    ]


def broken(events: list[Event], terms: Terms = TERMS) -> set[str]:
    """Return the names of the invariants that a history breaks."""
    return {violation.invariant for violation in check(History(events), terms)}


def without(kind: Kind, seq: int = 0) -> list[Event]:
    return [event for event in sound() if (event.kind, event.seq) != (kind, seq)]


def changed(position: int, **fields: object) -> list[Event]:
    events = sound()
    events[position] = replace(events[position], **fields)  # type: ignore[arg-type]
    return events


def faults() -> Iterator[tuple[str, list[Event], str]]:
    """Return histories with their names and the invariants that they must break."""
    late = [replace(e, at=e.at + 50 * (i > 1)) for i, e in enumerate(sound())]
    yield "answer too late", late, "one_answer"
    open_end = [event for event in without(Kind.STATUS, 1) if event.kind is not Kind.CLOSED]
    yield "no answer", open_end, "one_answer"
    yield "two answers", [*sound(), Event(7, 1, Kind.DROPPED, seq=1, body="rate")], "one_answer"
    yield (
        "answer to nothing",
        [*sound(), Event(7, 1, Kind.STATUS, seq=9, body=status(3))],
        ("one_answer"),
    )
    yield "no verdict", without(Kind.RESULT), "one_verdict"
    yield "two verdicts", [*sound(), Event(7, 1, Kind.RESULT, 2, body=REFUSED)], "one_verdict"
    yield "verdict repeated", [*sound(), Event(7, 1, Kind.RESULT, body=token())], "one_verdict"
    yield "session lost", [*without(Kind.RESULT), Event(7, 1, Kind.LOST)], "one_verdict"
    yield "another session's frame", changed(2, body=status(3, person=2)), "own_frames"
    yield "another frame of the session", changed(2, body=status(4)), "own_frames"
    yield "other codes", changed(2, body=status(3, errors=[7])), "same_verdict"
    yield "accepted without liveness", changed(2, body=status(3, errors=[])), "same_verdict"
    yield "best shot of another", changed(5, body=token(person=2)), "same_verdict"
    unjudged = token(number=26, source=26)
    yield "best shot that was not judged", changed(5, body=unjudged), "same_verdict"
    yield "best shot of another source", changed(5, body=token(source=26)), "same_verdict"
    yield "best shot encoded otherwise", changed(5, body=as_sent()), "same_verdict"
    yield "accepted frame, refused session", changed(5, body=REFUSED), "same_verdict"
    yield "token without success", changed(5, body=token() | {"isOk": False}), "same_verdict"
    refused = [*sound()[:3], Event(5, 1, Kind.RESULT, body=REFUSED)]
    yield "refused too early", refused, "same_verdict"


FAULTS = list(faults())


def test_a_sound_history_breaks_no_invariant() -> None:
    """There are no false positives."""
    assert broken(sound()) == set()


@pytest.mark.parametrize(
    ("events", "invariant"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_each_invariant_can_fail(events: list[Event], invariant: str) -> None:
    """A check that cannot fail proves nothing."""
    assert invariant in broken(events)


def test_the_time_of_a_suspended_gateway_does_not_count() -> None:
    """A suspended process cannot answer; its deadlines resume when it continues."""
    late = [replace(e, at=e.at + 50 * (i > 1)) for i, e in enumerate(sound())]
    assert broken(late, replace(TERMS, stopped=((1.5, 51.0),))) == set()


def test_a_frame_that_the_service_never_received_needs_no_answer() -> None:
    """CONNECTED says how many frames arrived; later ones were lost with the connection."""
    events = [
        *sound()[:3],
        Event(2.1, 1, Kind.SENT, seq=2, body=4),
        Event(2.2, 1, Kind.CLOSED, body=1006),
        Event(2.3, 1, Kind.CONNECTED, 2, seq=1),
        Event(3, 1, Kind.SENT, 2, seq=2, body=25),
        Event(4, 1, Kind.STATUS, 2, seq=2, body=status(25)),
        Event(5, 1, Kind.RESULT, 2, body=token()),
    ]
    assert broken(events) == set()
    lost = [frame.lost for frame in Attempt.read(1, events).frames]
    assert lost == [False, True, False]


def test_an_answer_lost_with_the_connection_leaves_the_verdict_open() -> None:
    """A frame may have been judged although its client got no answer."""
    events = [
        *sound()[:4],
        Event(3.1, 1, Kind.CLOSED, body=1006),
        Event(3.2, 1, Kind.CONNECTED, 2, seq=2),
        Event(5, 1, Kind.RESULT, 2, body=token()),
    ]
    assert broken(events) == set()
