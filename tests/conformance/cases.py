"""Which results of the suite are accepted; docs/conformance.md explains each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]

GOOD = frozenset({"OK", "INFORMATIONAL"})

EARLY = "the connection fails as it must, before the echo of what came in the same packet"
LATE_UTF8 = "text is checked for UTF-8 once its message is complete, not piece by piece"
FRAGMENTS = "more than 4096 fragments are refused with 1009, on purpose"
CLOSE_CODE = "a close within a fragmented message is answered with 1002, not 1000"

EXPLAINED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("3.2", "3.3", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"),
        ("NON-STRICT", EARLY),
    ),
    **dict.fromkeys(("6.4.1", "6.4.2", "6.4.3", "6.4.4"), ("NON-STRICT", LATE_UTF8)),
    "7.1.5": ("FAILED", CLOSE_CODE),
    **dict.fromkeys(("9.3.1", "9.3.2", "9.3.3", "9.4.1", "9.4.2", "9.4.3"), ("FAILED", FRAGMENTS)),
}
"""Cases that may end with only this result, and the reason."""


@dataclass(frozen=True)
class Summary:
    """The result of a run of the suite.

    Attributes:
        counts: cases by outcome.
        unexplained: cases that neither pass nor end as explained.
        explained: cases that end as explained.
    """

    counts: Counter[str]
    unexplained: dict[str, str]
    explained: dict[str, str]


def summarise(results: dict[str, dict[str, str]]) -> Summary:
    """Judge the suite's index of cases.

    Args:
        results: for each case its ``behavior`` and ``behaviorClose``.
    """
    outcomes = {case: _outcome(result) for case, result in results.items()}
    bad = {case: outcome for case, outcome in outcomes.items() if outcome not in GOOD}
    explained = {c: o for c, o in bad.items() if c in EXPLAINED and EXPLAINED[c][0] == o}
    unexplained = {case: outcome for case, outcome in bad.items() if case not in explained}
    return Summary(Counter(outcomes.values()), unexplained, explained)


def _outcome(result: dict[str, str]) -> str:
    """Return the worse of a case's behaviour and its closing handshake."""
    both = (result["behavior"], result["behaviorClose"])
    if "FAILED" in both:
        return "FAILED"
    return next((outcome for outcome in both if outcome not in GOOD), result["behavior"])
