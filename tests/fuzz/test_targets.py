"""The fuzzers' targets hold on their own seeds, and do not hold on what breaks their contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import targets
from tests.fuzz.seeds import CORPORA, sow


@pytest.mark.parametrize("target", targets.TARGETS)
def test_a_target_holds_on_its_seeds(target: str, tmp_path: Path) -> None:
    """Before any mutation, everything known passes."""
    sow(target, tmp_path)
    seeds = sorted(tmp_path.iterdir())
    assert len(seeds) >= 20
    for seed in seeds:
        targets.TARGETS[target](seed.read_bytes())


def test_every_target_has_a_corpus() -> None:
    """A target without seeds would only see noise."""
    assert set(CORPORA) == set(targets.TARGETS)


def test_a_decoder_that_raises_anything_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: an exception outside the contract leaves the target."""
    monkeypatch.setattr(targets, "decode", lambda data: {}["missing"])
    with pytest.raises(KeyError):
        targets.message(b"\xc0")
