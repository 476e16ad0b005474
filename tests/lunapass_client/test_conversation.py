"""The clients' messages and decisions without I/O."""

from __future__ import annotations

import base64
import json

import pytest
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response

from lunapass_client.answers import Answer
from lunapass_client.conversation import (
    MAX_PAUSE_SECONDS,
    Identity,
    Resumption,
    authorization,
    pauses,
    require_granted,
)
from lunapass_client.errors import Disconnected, NotAdmitted, NoVerdict, Refused, Silent
from lunapass_client.protocol import Command


def test_a_new_session_asks_for_no_id() -> None:
    """The first CONNECT has only ``client``; a resuming one has the session's id and token."""
    identity = Identity({"mirrored": True})
    assert json.loads(identity.connect())["headers"] == {"client": {"mirrored": True}}
    granted = {"session-id": "a" * 32, "resume-token": "b" * 32}
    identity.granted(Answer(Command.CONNECTED, granted, None))
    assert json.loads(identity.connect())["headers"] == {"client": {"mirrored": True}, **granted}


def test_a_refusal_does_not_change_the_identity() -> None:
    """ERROR instead of CONNECTED is raised with its code and changes nothing."""
    identity = Identity({}, "a" * 32, "b" * 32)
    refusal = Answer(Command.ERROR, {}, {"code": "session.full", "message": "try later"})
    identity.granted(refusal)
    assert identity.session_id == "a" * 32
    with pytest.raises(Refused) as caught:
        require_granted(refusal)
    assert caught.value.code == "session.full"


def closed(code: int | None) -> Disconnected:
    return Disconnected(None if code is None else Close(code, ""), None)


@pytest.mark.parametrize(("code", "tries"), [(None, 3), (1012, 3), (4002, 3), (4004, 0), (1008, 0)])
def test_only_some_closed_sessions_may_be_resumed(code: int | None, tries: int) -> None:
    """A lost connection, a restart and idleness are retried; a replaced session is not."""
    pauses = Resumption(closed(code), 3).pauses()
    assert len([next(pauses) for _ in range(tries)]) == tries
    with pytest.raises(NoVerdict):
        next(pauses)


def handshake(status: int) -> NotAdmitted:
    return NotAdmitted(Response(status, "", Headers()))


def test_the_last_error_is_the_cause() -> None:
    """The traceback shows why the attempts failed, not only that the connection broke."""
    resumption, busy = Resumption(Silent(), 1), handshake(503)
    pauses = resumption.pauses()
    next(pauses)
    resumption.failed(busy)
    with pytest.raises(NoVerdict) as raised:
        next(pauses)
    assert raised.value.__cause__ is busy


def test_a_wrong_password_is_not_retried() -> None:
    """A permanent error is raised at once and unchanged."""
    with pytest.raises(NotAdmitted):
        Resumption(closed(1012), 2).failed(handshake(401))


def test_any_number_of_attempts_is_possible() -> None:
    """A kiosk may retry for a day."""
    assert max(pauses(5000)) <= MAX_PAUSE_SECONDS


def test_credentials_go_into_a_header() -> None:
    """RFC 7617: base64 of user name, colon, password in UTF-8."""
    header = authorization("kiosk", "pässword")["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "kiosk:pässword"
    assert authorization(None, None) == {}


def test_pauses_grow_up_to_a_limit() -> None:
    """The maximum pause grows with each attempt."""
    many = [list(pauses(12)) for _ in range(50)]
    assert all(0 <= pause <= MAX_PAUSE_SECONDS for series in many for pause in series)
    means = [sum(column) / len(column) for column in zip(*many, strict=True)]
    assert means[0] < means[3] < means[8]
