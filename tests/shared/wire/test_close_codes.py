"""Errors for clients: each has the close code that docs/protocol.md names."""

from __future__ import annotations

import re
from pathlib import Path

from shared.wire.protocol import CLOSE_CODES, ProtocolError

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def documented() -> dict[str, int]:
    """The close code of each ERROR code in the table of close codes."""
    rows = re.findall(r"^\| (\d{4}) \|[^|]*\| (`[^|]*) \|$", PROTOCOL.read_text(), re.MULTILINE)
    return {code: int(close) for close, codes in rows for code in re.findall(r"`([^`]+)`", codes)}


def test_the_documented_code_ends_the_connection() -> None:
    """Clients use it to decide whether to reconnect."""
    expected = documented()
    assert expected.keys() >= CLOSE_CODES.keys() | {"connect.twice"}
    assert {code: ProtocolError("", code=code).close_code for code in expected} == expected
