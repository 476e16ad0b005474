"""Reports load nothing, and external text in them cannot become markup."""

from __future__ import annotations

import pytest

from shared.report import parts

HOSTILE = '<script src="//x">'


@pytest.mark.parametrize(
    "part",
    [
        parts.heading(HOSTILE),
        parts.subheading(HOSTILE),
        parts.paragraph(HOSTILE),
        parts.note(HOSTILE),
        parts.table((HOSTILE,), [(HOSTILE,)], HOSTILE),
        parts.chart("<svg></svg>", HOSTILE),
        parts.picture(HOSTILE, HOSTILE),
        parts.row([parts.note(HOSTILE), HOSTILE]),
    ],
)
def test_external_text_is_escaped(part: str) -> None:
    """It is escaped exactly once in every part of a report."""
    page = parts.page(HOSTILE, [part])
    assert "<script" not in page
    assert "&lt;script" in part
    assert part in page


def test_a_page_loads_nothing() -> None:
    """Its policy allows inline styles and images, and no scripts."""
    page = parts.page("Report", [])
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert page.startswith("<!doctype html>")


def test_values_are_readable() -> None:
    """Numbers are shortened; an unknown value is a dash."""
    table = parts.table(("name", "value"), [("a", 0.12345), ("b", None), ("c", 7)])
    assert [cell in table for cell in (">0.123<", ">-<", ">7<")] == [True] * 3
