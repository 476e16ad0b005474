"""The machine-readable documents of the protocol match the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from lunapass.protocol_docs.codes import codes_page
from lunapass.protocol_docs.documents import CLOSE_CODES, documents, written
from lunapass.protocol_docs.messages import ClientMessage, ServerMessage
from shared.codes import Code
from shared.wire.protocol import CLIENT_COMMANDS, CloseCode, Command

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", documents())
def test_the_documents_are_up_to_date(name: str) -> None:
    """Run ``make docs-protocol`` after a change of a message, a code or the version."""
    assert (DOCS / "schemas" / name).read_text() == written(documents()[name])


def test_the_table_of_codes_is_up_to_date() -> None:
    """Run ``make docs-protocol`` after a change of a code."""
    assert (DOCS / "codes.md").read_text() == codes_page()


def test_each_code_has_one_row() -> None:
    """No code is missing or repeated in the table."""
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", codes_page(), re.MULTILINE)]
    assert numbers == sorted(Code)


def test_each_command_has_a_message() -> None:
    """Every command of each direction is described."""
    tags = [
        [kind.__struct_config__.tag for kind in get_args(union)]
        for union in (ClientMessage, ServerMessage)
    ]
    assert sorted(tags[0]) == sorted(CLIENT_COMMANDS)
    assert sorted(tags[1]) == sorted(set(Command) - {Command.CONNECT, Command.DISCONNECT})


def test_each_close_code_is_described() -> None:
    """None is missing in AsyncAPI."""
    assert CLOSE_CODES.keys() == set(CloseCode)


def test_the_transcript_follows_the_schema() -> None:
    """The session by hand in docs/protocol.md has the service's messages."""
    schema = Draft202012Validator(documents()["server-message.schema.json"])
    answers = re.findall(r"^< (\{.*\})$", (DOCS / "protocol.md").read_text(), re.MULTILINE)
    assert [json.loads(answer)["command"] for answer in answers] == [
        "CONNECTED",
        "HEARTBEAT",
        "ERROR",
    ]
    for answer in answers:
        schema.validate(json.loads(answer))
