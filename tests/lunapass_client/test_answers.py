"""The service's messages as types; a message that violates the protocol is one error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lunapass_client.answers import Answer, FrameStatus, RefusalReason, SessionGrant, Verdict
from lunapass_client.errors import BadAnswer, Refused
from lunapass_client.protocol import Command, Drop


def message(command: str, body: Any = None, **headers: Any) -> Answer:
    return Answer.parse(json.dumps({"command": command, "headers": headers, "body": body}))


def test_a_status_is_read() -> None:
    """It has its codes, hint and measurements; an unknown key changes nothing."""
    body = {"isOk": False, "errors": [12, 13], "details": {"ags": 0.9}, "later": 1}
    answer = message("STATUS", body, seq=7)
    assert answer.seq == 7
    assert answer.status == FrameStatus(False, (12, 13), {"ags": 0.9})
    assert answer.status.hint == "Come closer"
    assert message("RESULT").status is None
    assert FrameStatus(True, (), {}).hint is None


def test_a_session_is_read_from_connected() -> None:
    """Its id and its token; both are texts."""
    granted = message("CONNECTED", **{"session-id": "a", "resume-token": "b", "seq": 0})
    assert granted.grant == SessionGrant("a", "b")
    assert message("STATUS").grant is None
    for headers in ({}, {"session-id": "a"}, {"session-id": 5, "resume-token": "b"}):
        with pytest.raises(BadAnswer):
            _ = message("CONNECTED", **headers).grant


@pytest.mark.parametrize("number", ["7", 7.5, [], {}, True])
def test_an_invalid_frame_number_is_an_error(number: Any) -> None:
    """Frames are counted by it."""
    with pytest.raises(BadAnswer):
        _ = message("STATUS", seq=number).seq


def test_a_drop_and_a_refusal_are_read() -> None:
    """Each is None in any other message."""
    dropped = message("DROPPED", seq=1, reason="rate")
    assert (dropped.dropped, dropped.refusal, dropped.status) == (Drop.RATE, None, None)
    error = message("ERROR", {"code": "session.full", "message": "try later"})
    assert (error.refusal, error.dropped) == (RefusalReason("session.full", "try later"), None)


def test_a_verdict_is_read_from_result() -> None:
    """Accepted with a token, refused with codes; ERROR is raised, anything else is no verdict."""
    refused = {"isOk": False, "jwt": None, "errors": [60]}
    assert Verdict.within(message("RESULT", refused)) == Verdict(False, None, (60,))
    accepted = {"isOk": True, "jwt": "a.b.c", "errors": []}
    assert Verdict.within(message("RESULT", accepted)) == Verdict(True, "a.b.c", ())
    assert Verdict.within(message("HEARTBEAT")) is None
    with pytest.raises(Refused, match=r"session\.full"):
        Verdict.within(message("ERROR", {"code": "session.full", "message": "try later"}))


def test_an_answered_frame_makes_room_for_the_next() -> None:
    """A refused or dropped frame does; after an accepted one RESULT follows."""
    refused = {"isOk": False, "errors": [8], "details": {}}
    assert message("STATUS", refused).asks_for_more
    assert message("DROPPED").asks_for_more
    assert not message("STATUS", {**refused, "isOk": True, "errors": []}).asks_for_more
    assert not message("HEARTBEAT").asks_for_more


@pytest.mark.parametrize("command", list(Command))
def test_status_and_dropped_answer_a_frame(command: Command) -> None:
    """A frame has exactly one of these."""
    assert Answer(command, {}, None).answers_frame == (command in (Command.STATUS, Command.DROPPED))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        b"\xff\xd8",
        "[]",
        '{"command": "STATUS"}',
        '{"command": "NEW", "headers": {}, "body": null}',
        '{"command": "STATUS", "headers": [], "body": null}',
        '{"command": "STATUS", "headers": {}, "body": "\xff"}'.encode("latin-1"),
        "[" * 100_000,
    ],
)
def test_a_message_that_violates_the_protocol_is_an_error(raw: str | bytes) -> None:
    """Any violation is the same error of the client."""
    with pytest.raises(BadAnswer):
        Answer.parse(raw)


@pytest.mark.parametrize("body", [None, [], {}, {"isOk": 1}, {"isOk": True, "errors": "8"}])
def test_a_body_that_violates_the_protocol_is_an_error(body: Any) -> None:
    """It is detected when the body is read, so that other answers of the session are not lost."""
    with pytest.raises(BadAnswer):
        _ = message("STATUS", body).status
    with pytest.raises(BadAnswer):
        Verdict.within(message("RESULT", body))
