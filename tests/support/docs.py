"""Examples of the docs, which tests run."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.support.service import ROOT


def toml_example(page: str, start: str) -> dict[str, Any]:
    """Return the first TOML example of a page in ``docs`` that starts with a text."""
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S)
    return tomllib.loads(next(block for block in blocks if block.startswith(start)))
