"""The judgement over the suite's cases: good, explained as it ended, or a fault."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.cases import EXPLAINED, summarise

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"


def result(behavior: str, close: str = "OK") -> dict[str, str]:
    return {"behavior": behavior, "behaviorClose": close}


def test_good_and_explained_cases_pass() -> None:
    """A case may end as it is explained."""
    summary = summarise({"1.1.1": result("OK"), "3.2": result("NON-STRICT")})
    assert summary.unexplained == {}
    assert summary.explained == {"3.2": "NON-STRICT"}


def test_what_is_not_explained_is_a_fault() -> None:
    """Neither a new case, nor an explained one that ends worse, nor an unclean close passes."""
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
