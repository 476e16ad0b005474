"""The messages in docs/troubleshooting.md are messages of the service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.codes import Code

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()


def sections() -> dict[str, list[str]]:
    """Return the first cells of each section's table."""
    found = {}
    for part in PAGE.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
        found[title] = rows[1:]
    return found


def messages() -> list[str]:
    return [
        message
        for title, cells in sections().items()
        if "accepted" not in title
        for cell in cells
        for message in re.findall(r"`([^`]+)`", cell)
    ]


@pytest.mark.parametrize("message", messages())
def test_each_message_exists_in_the_code(message: str, texts: str) -> None:
    """If the code's message changes, the page must follow."""
    assert message in texts


def test_the_page_has_messages_and_codes() -> None:
    """The search above finds them, and each named code exists."""
    assert len(messages()) > 40
    (title,) = [title for title in sections() if "accepted" in title]
    codes = [int(code) for cell in sections()[title] for code in re.findall(r"\d+", cell)]
    assert len(codes) > 10
    assert set(codes) <= set(map(int, Code))
