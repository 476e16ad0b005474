"""``--fail-above``: which runs fail, and what the command accepts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from loadtest.gate import Gate
from loadtest.tally import CrowdTally, record
from lunapass.commands.load import command


def tally(*milliseconds: float, dropped: int = 0) -> CrowdTally:
    found = CrowdTally()
    for each in milliseconds:
        record(found.latency, each / 1000)
    found.counts["judged"] = len(milliseconds)
    found.dropped["deadline"] = dropped
    found.counts["sent"] = len(milliseconds) + dropped
    return found


def test_a_run_meets_or_exceeds_a_limit() -> None:
    """The share of frames in the limit's name must be answered within the time."""
    run = tally(*[50] * 95, *[500] * 5)
    assert Gate.parse("p90=100ms").failure(run) is None
    assert Gate.parse("p99=0.6s").failure(run) is None
    failure = Gate.parse("p99=200ms").failure(run)
    assert failure is not None
    assert failure.endswith("ms, above 200ms")
    assert failure.startswith("p99 is ")


def test_a_run_without_measurements_fails() -> None:
    """Frames that were not judged, or no frames at all, do not meet a limit."""
    gate = Gate.parse("p95=10s")
    assert "not judged" in (gate.failure(tally(50, dropped=50)) or "")
    assert "no frame" in (gate.failure(tally()) or "")


@pytest.mark.parametrize("text", ["p95", "p95=200", "p96=1s", "p95<1s", "95=1s", "p95=-1s", ""])
def test_other_forms_are_refused(text: str) -> None:
    """The message names the expected form."""
    with pytest.raises(ValueError, match="p95=200ms"):
        Gate.parse(text)


def test_the_search_for_the_capacity_accepts_no_limit() -> None:
    """It has its own limit, which the message names."""
    result = CliRunner().invoke(command, ["--find-capacity", "--fail-above", "p95=1s"])
    assert result.exit_code == 2
    assert "--find-capacity has its own limit, --bound; remove --fail-above" in result.output
