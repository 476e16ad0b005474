"""The fuzz targets pass on their own seeds, and fail on a broken contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import targets
from tests.fuzz.seeds import CORPORA, sow


@pytest.mark.parametrize("target", targets.TARGETS)
def test_a_target_passes_on_its_seeds(target: str, tmp_path: Path) -> None:
    """All known input passes without mutations."""
    sow(target, tmp_path)
    seeds = sorted(tmp_path.iterdir())
    assert len(seeds) >= 20
    for seed in seeds:
        targets.TARGETS[target](seed.read_bytes())


def test_every_target_has_a_corpus() -> None:
    """A target without seeds would only get noise."""
    assert set(CORPORA) == set(targets.TARGETS)


def test_an_unexpected_exception_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: an exception outside the contract leaves the target."""
    monkeypatch.setattr(targets, "decode", lambda data: {}["missing"])
    with pytest.raises(KeyError):
        targets.message(b"\xc0")
