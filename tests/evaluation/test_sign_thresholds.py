"""Thresholds of LifeSigns from the signs of recorded sessions."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.session_summary import summarise_sessions
from evaluation.sign_thresholds import SECTION, measured_signs, suggest_thresholds
from evaluation.tuning import overlay
from evaluation.verdicts import SessionOutcome
from evaluation.whatif import Suggestion
from shared.config.life_signs import LifeSignsArgs
from shared.config.loading import load
from tests.evaluation.estimates import verdict


def suggested(live: int, args: LifeSignsArgs, **signs: Any) -> dict[str, Suggestion]:
    """Return suggestions from two prints and live sessions with eye motion .001, .002 and so on."""
    sessions = [
        verdict(SessionOutcome.ACCEPTED, f"live/{n}", eyes=n / 1000, **signs)
        for n in range(1, live + 1)
    ]
    prints = [
        verdict(SessionOutcome.ASKED, f"attack/{eyes}", species="print", eyes=eyes)
        for eyes in (0.004, 0.04)
    ]
    rows = summarise_sessions([*sessions, *prints])["sessions"]
    return {one.key: one for one in suggest_thresholds(measured_signs(rows, args))}


def test_a_fixed_share_of_live_sessions_is_in_doubt() -> None:
    """30 % by the eyes.

    The cost counts live sessions and attacks, with the old and the new threshold.
    """
    (found,) = suggested(100, LifeSignsArgs()).values()
    assert (found.key, found.now) == ("eyesDeviation", 0.005)
    assert found.value == pytest.approx(0.0307)
    assert found.cost == "in doubt by this sign: live 4 -> 30 of 100, print 1 -> 1 of 2"


def test_background_motion_has_an_upper_limit() -> None:
    """If all live sessions have a still background, the limit is stricter than the default."""
    args = LifeSignsArgs(fixedCamera=True)
    found = suggested(30, args, background=0.123, score=0.5)
    assert found["backgroundMotion"].value == 0.13
    assert "acceptScore" not in found  # the configured value


def test_few_live_sessions_suggest_nothing() -> None:
    """A quantile of 19 sessions means little."""
    assert suggested(19, LifeSignsArgs()) == {}


def test_sessions_with_few_frames_do_not_count() -> None:
    """Their signs are not yet those that decide."""
    early = [verdict(SessionOutcome.UNDECIDED, f"live/{n}", eyes=0.5, frames=7) for n in range(30)]
    rows = summarise_sessions([*early, verdict(SessionOutcome.REFUSED, "live/x")])["sessions"]
    assert measured_signs(rows, LifeSignsArgs()) == []


def test_the_overlay_is_a_valid_configuration(tmp_path: Any) -> None:
    """It loads, with the suggested value in the section of the plugin."""
    suggestions = list(suggested(100, LifeSignsArgs()).values())
    path = tmp_path / "overlay.toml"
    path.write_text(overlay(suggestions, SECTION, "lunapass evaluate --sessions"))
    assert load(path, {}).MIDDLEWARES.WS.LifeSigns.args.eyesDeviation == suggestions[0].value
    assert "# cost: in doubt by this sign" in path.read_text()
