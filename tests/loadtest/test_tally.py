"""Tallies: sums are complete, and drops cannot improve the latency."""

from __future__ import annotations

import json
import math

import pytest

from loadtest.tally import CrowdTally, record


def filled(latencies: list[float], dropped: int = 0) -> CrowdTally:
    tally = CrowdTally()
    for latency in latencies:
        record(tally.latency, latency)
    tally.dropped["replaced"] = dropped
    return tally


def test_tallies_add_up_over_processes() -> None:
    """A tally survives JSON, as between processes."""
    whole = CrowdTally()
    for latencies in ([0.01] * 50, [0.03] * 50):
        tally = filled(latencies, dropped=1)
        tally.counts["judged"] = 50
        tally.failed["no answer"] = 2
        tally.codes[13] = 3
        tally.kiosks = 4
        whole.add(json.loads(json.dumps(tally.packed())))
    assert whole.counts["judged"] == 100
    assert (whole.dropped["replaced"], whole.failed["no answer"]) == (2, 4)
    assert (whole.codes[13], whole.kiosks) == (6, 8)
    assert whole.percentile(0.25) == pytest.approx(0.01, rel=0.02)
    assert whole.percentile(0.75) == pytest.approx(0.03, rel=0.02)


def test_a_dropped_frame_is_later_than_every_other() -> None:
    """With a tenth dropped, the median rises and the 95th percentile is infinite."""
    tally = filled([n / 1000 for n in range(1, 91)], dropped=10)
    assert tally.percentile(0.5) == pytest.approx(0.050, rel=0.03)
    assert tally.percentile(0.95) == math.inf


def test_a_frame_after_the_verdict_does_not_count() -> None:
    """Frames in flight when the session ended do not count."""
    tally = filled([0.01] * 10)
    tally.dropped["ended"] = 90
    assert tally.percentile(0.99) == pytest.approx(0.01, rel=0.02)


def test_no_frames_no_percentile() -> None:
    """If all frames were dropped, every percentile is infinite."""
    assert CrowdTally().percentile(0.5) is None


def test_all_dropped_is_never_in_time() -> None:
    """A lost frame counts even for the smallest share."""
    assert filled([], dropped=3).percentile(0.01) == math.inf
