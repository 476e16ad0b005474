"""Limits on error rates for automatic tests."""

from __future__ import annotations

import pytest

from evaluation.gate import RateBound, exceeded, named_rates
from evaluation.scoring import score
from evaluation.session_summary import summarise_sessions
from evaluation.summary import summarise
from evaluation.verdicts import SessionOutcome
from shared.errors import ResourceError
from shared.frame.checks import Rules
from tests.evaluation.estimates import estimate, presentation, verdict


def test_a_gate_is_a_rate_and_a_share() -> None:
    """The name of a species may contain dots and equals signs."""
    assert RateBound.parse("apcer.print=0.1") == RateBound("apcer.print", 0.1)
    assert RateBound.parse("apcer.a=b.c=1") == RateBound("apcer.a=b.c", 1.0)


@pytest.mark.parametrize(
    "text", ["", "bpcer", "bpcer=", "=0.1", "bpcer=5", "bpcer=-1", "bpcer=nan"]
)
def test_other_texts_are_refused(text: str) -> None:
    """A percentage, above all, would let everything pass."""
    with pytest.raises(ValueError, match="expected RATE=BOUND"):
        RateBound.parse(text)


def test_only_rates_above_their_limit_fail() -> None:
    """A rate equal to its limit passes; an unknown rate fails."""
    rates = {"bpcer": 0.1, "apcer": None, "asked": 0.1}
    gates = [RateBound("bpcer", 0.05), RateBound("asked", 0.1), RateBound("apcer", 1.0)]
    assert exceeded(gates, rates) == [
        "bpcer is 10.0 %; the limit is 5.0 %",
        "apcer is unknown; the limit is 100.0 %",
    ]


def test_a_misspelt_rate_is_an_error() -> None:
    """It must not pass as a rate without errors."""
    with pytest.raises(ResourceError, match=r"found no rate 'apcer\.prnt'; this set has bpcer"):
        exceeded([RateBound("apcer.prnt", 0.1)], {"bpcer": 0.0})


def test_rates_of_frames_have_names() -> None:
    """The rates of liveness alone, and those of the whole service."""
    shown = (
        presentation(estimate(0.9), name="live/a.jpg"),
        presentation(estimate(0.9, faces=2), name="live/b.jpg"),
        presentation(estimate(0.7), name="attack/print/a.jpg", species="print"),
    )
    rules = Rules()
    rates = named_rates(
        summarise([score(one, rules, 1) for one in shown], rules, unit="presentation", window=1)
    )
    assert (rates["bpcer"], rates["served.bpcer"], rates["apcer.print"]) == (0.0, 0.5, 1.0)
    assert (rates["halfTotalError"], rates["served.halfTotalError"]) == (0.5, 0.75)


def test_rates_of_sessions_have_names() -> None:
    """Errors, and the share of live sessions that is asked for an action."""
    rates = named_rates(
        summarise_sessions(
            [
                verdict(SessionOutcome.ASKED, "live/a"),
                verdict(SessionOutcome.UNDECIDED, "live/b"),
                verdict(SessionOutcome.ACCEPTED, "attack/print/a", species="print"),
                verdict(SessionOutcome.ASKED, "attack/phone/a", species="phone"),
            ]
        )
    )
    assert rates == {
        "bpcer": 0.5,
        "asked": 0.5,
        "apcer": 1.0,
        "allAttacks": 0.5,
        "halfTotalError": 0.5,
        "apcer.phone": 0.0,
        "apcer.print": 1.0,
    }
