"""GET /sessions/{id}/result is answered only for the relying party."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from websockets.http11 import Response

from gateway.sessions.session_report import SessionReport
from gateway.web.server_result import ServerResult
from shared.config.service import Config
from tests.support.visits import visit

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "server-result.schema.json"
KEY = "k" * 32
BEARER = f"Bearer {KEY}"
DECIDED, UNDECIDED, UNKNOWN, STORE_DOWN = ("d" * 32, "e" * 32, "0" * 32, "f" * 32)
RESULT = '{"command": "RESULT", "headers": {}, "body": {"isOk": true, "jwt": "x", "errors": []}}'
START = '{"sub": "anna", "aud": "lunapass"}'


async def lookup(session: str) -> SessionReport | None:
    if session == STORE_DOWN:
        raise ConnectionError
    reports = {
        DECIDED: SessionReport(START, RESULT),
        UNDECIDED: SessionReport(START, None),
    }
    return reports.get(session)


def plugin(**section: Any) -> ServerResult:
    settings = {"isEnabled": True, "args": {"key": KEY}, **section}
    config = {"MIDDLEWARES": {"REQUEST": {"ServerResult": settings}}}
    return ServerResult(Config.model_validate(config), lookup)


async def ask(session: str, *fields: tuple[str, str], **more: str) -> Response:
    return await plugin().answer(visit(f"/sessions/{session}/result", *fields, **more))


@pytest.mark.parametrize(
    ("session", "status", "body"),
    [
        (DECIDED, 200, {"state": "decided", "isOk": True, "jwt": "x", "errors": []}),
        (UNDECIDED, 202, {"state": "undecided"}),
    ],
)
async def test_the_relying_party_gets_an_answer(
    session: str, status: int, body: dict[str, Any]
) -> None:
    """It has the claims of the start token, because a client may name another person's session."""
    answer = await ask(session, Authorization=BEARER)
    assert answer.status_code == status
    assert json.loads(answer.body) == {**body, "session": session, "start": json.loads(START)}
    assert answer.headers["Cache-Control"] == "no-store"
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(answer.body))


async def test_an_unknown_session_and_an_outage_of_the_store_differ() -> None:
    """An unknown session ends the polling; an unresponsive store does not."""
    for session, status, state in ((UNKNOWN, 404, "unknown"), (STORE_DOWN, 503, "unavailable")):
        answer = await ask(session, Authorization=BEARER)
        assert (answer.status_code, json.loads(answer.body)) == (status, {"state": state})


STRANGERS: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "another key": [("Authorization", f"Bearer {'x' * 32}")],
    "a part": [("Authorization", BEARER[:-1])],
    "more": [("Authorization", f"{BEARER}k")],
    "another scheme": [("Authorization", f"Basic {KEY}")],
    "two": [("Authorization", BEARER), ("Authorization", BEARER)],
    "another alphabet": [("Authorization", "Bearer \xe4")],
}


@pytest.mark.parametrize("given", STRANGERS.values(), ids=STRANGERS)
async def test_a_stranger_learns_nothing(given: list[tuple[str, str]]) -> None:
    """The answers for a known, an unknown and an impossible session are identical."""
    asked = [
        await ask(session, *given) for session in (DECIDED, UNDECIDED, UNKNOWN, STORE_DOWN, "/")
    ]
    assert {answer.status_code for answer in asked} == {401}
    assert len({(answer.body, str(answer.headers)) for answer in asked}) == 1


@pytest.mark.parametrize(
    "path", ["/sessions/", f"/sessions/{'d' * 31}/result", f"/sessions/{DECIDED}"]
)
async def test_other_paths_do_not_exist(path: str) -> None:
    """Only the path of a result has an answer."""
    assert (await plugin().answer(visit(path, Authorization=BEARER))).status_code == 404


@pytest.mark.parametrize("section", [{"isEnabled": False}, {"args": {"key": ""}}, {"args": {}}])
async def test_without_plugin_or_key_the_path_does_not_exist(section: dict[str, Any]) -> None:
    """No credential opens it, above all not an empty one."""
    for credential in (BEARER, "Bearer ", "Bearer"):
        visited = visit(f"/sessions/{DECIDED}/result", Authorization=credential)
        answer = await plugin(**section).answer(visited)
        assert (answer.status_code, answer.body) == (404, b"not found\n")
