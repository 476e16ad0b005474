"""Judging the suite's cases: passed, ended as explained, or failed."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.cases import EXPLAINED, summarise

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"


def result(behavior: str, close: str = "OK") -> dict[str, str]:
    return {"behavior": behavior, "behaviorClose": close}


def test_passed_and_explained_cases_are_accepted() -> None:
    """A case may end as explained."""
    summary = summarise({"1.1.1": result("OK"), "3.2": result("NON-STRICT")})
    assert summary.unexplained == {}
    assert summary.explained == {"3.2": "NON-STRICT"}


def test_unexplained_results_are_failures() -> None:
    """A new case, an explained one that ends worse, and an unclean close are not accepted."""
    results = {
        "1.1.1": result("NON-STRICT"),
        "3.2": result("FAILED"),
        "2.1": result("OK", "UNCLEAN"),
        "2.2": result("OK", "FAILED"),
    }
    assert set(summarise(results).unexplained) == set(results)


def test_every_explained_case_is_in_the_document() -> None:
    """docs/conformance.md names each."""
    text = DOCUMENT.read_text()
    assert [case for case in EXPLAINED if case not in text] == []
