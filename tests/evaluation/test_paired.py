"""The change of rates between two evaluations, with a bootstrap over people."""

from __future__ import annotations

import pytest

from evaluation.paired import Pair, changes, half_total_change


def people(count: int, *, before: bool, after: bool, species: str = "print") -> list[Pair]:
    return [Pair(species, f"{place}", before, after) for place in range(count)]


def test_rates_of_each_species_by_hand() -> None:
    """Two of four prints stop being errors, and one live person becomes one."""
    prints = people(2, before=True, after=False) + people(2, before=True, after=True)
    live = [Pair("", "0", False, True), Pair("", "1", False, False)]
    found = changes(prints + live)
    assert (found["print"].before, found["print"].after) == (1.0, 0.5)
    assert (found["print"].worse, found["print"].better) == (0, 2)
    assert (found[""].before, found[""].after, found[""].worse) == (0.0, 0.5, 1)
    total = half_total_change(prints + live)
    assert total is not None
    assert (total.before, total.after) == (0.5, 0.5)


def test_pairing_removes_the_shared_difficulty() -> None:
    """Half of the people are hard in both, which adds no spread to the change."""
    hard = people(20, before=True, after=True)
    easy = [Pair("print", f"other {place}", False, False) for place in range(20)]
    assert changes(hard + easy)["print"].interval == (0.0, 0.0)


def test_many_presentations_of_one_person_are_one_person() -> None:
    """A gain with one of ten people may be chance; the same gain with all ten is not."""
    rest = people(10, before=False, after=False)
    one = changes(rest + [Pair("print", "0", True, False)] * 10)["print"].interval
    assert one is not None
    assert one[1] == 0.0
    ten = changes(rest + people(10, before=True, after=False))["print"].interval
    assert ten is not None
    assert ten[1] < 0.0


def test_species_have_equal_weight_in_the_half_total_error() -> None:
    """A hundred prints do not outweigh two screens."""
    live = people(4, before=False, after=False, species="")
    prints = people(100, before=False, after=False)
    screens = people(2, before=True, after=False, species="screen")
    total = half_total_change(live + prints + screens)
    assert total is not None
    assert (total.before, total.after) == (0.25, 0.0)


@pytest.mark.parametrize("species", ["", "print"])
def test_half_total_error_needs_both_kinds(species: str) -> None:
    """Only live presentations, or only attacks, give none."""
    assert half_total_change(people(5, before=True, after=False, species=species)) is None


def test_one_subject_has_no_interval() -> None:
    """The bootstrap of one subject would have no spread."""
    pairs = [Pair("", "a", True, False), Pair("print", "a", True, False)]
    assert changes(pairs)[""].interval is None
    total = half_total_change(pairs)
    assert total is not None
    assert total.interval is None
