"""The log messages that the pages quote are those of the service."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_OTHER_PROGRAMS = {
    "appendonly yes",
    "certificate verify failed",
    "failed list",
    "firewall-cmd --reload",
    "least connections",
    "tls-auth-clients yes",
}
MESSAGE = re.compile(
    r"(?!(?:apt|dpkg|lunapass|make|pip|systemctl|systemd-analyze) )[a-z][a-z,;'-]*( [a-z,;'-]+)+"
)
"""Two words or more that are no command."""
BUILT = {"configuration loaded", "configuration reloaded"}
"""Texts with a placeholder: ``configuration %s``."""


def quoted() -> dict[str, set[str]]:
    """Return the pages by the messages that they quote."""
    found: dict[str, set[str]] = {}
    for page in (ROOT / "docs").glob("*.md"):
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
        for span in re.findall(r"`([^`]+)`", text):
            phrase = " ".join(span.split())
            if MESSAGE.fullmatch(phrase):
                found.setdefault(phrase, set()).add(page.name)
    return found


def test_each_quoted_message_exists_in_the_code(texts: str) -> None:
    """If the code's message changes, the pages must follow."""
    known = OF_OTHER_PROGRAMS | BUILT
    wrong = {phrase: pages for phrase, pages in quoted().items() if phrase not in texts}
    assert {phrase: pages for phrase, pages in wrong.items() if phrase not in known} == {}


def test_the_pages_quote_messages() -> None:
    """The search above finds them."""
    assert quoted().keys() >= {"session decided", "request refused", *OF_OTHER_PROGRAMS, *BUILT}
