"""The change of rates between two evaluations, with a bootstrap over people."""

from __future__ import annotations

import pytest

from evaluation.paired import MIN_MOVED, Pair, changes, half_total_change


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
    """Whether the others are hard or easy in both does not change the interval."""
    better = [Pair("print", f"better {place}", True, False) for place in range(20)]
    hard, easy = (people(20, before=wrong, after=wrong) for wrong in (True, False))
    interval = changes(hard + better)["print"].interval
    assert interval is not None
    assert interval == changes(easy + better)["print"].interval


def test_many_presentations_of_one_person_are_one_person() -> None:
    """A gain with one of ten people may be chance; the same gain with nine is not."""
    rest = people(10, before=False, after=False)
    one = changes(rest + [Pair("print", "0", True, False)] * 9)["print"]
    assert (one.better, one.interval) == (9, None)
    nine = changes(rest + people(9, before=True, after=False))["print"]
    assert nine.better == 9
    assert nine.interval is not None
    assert nine.interval[1] < 0.0


@pytest.mark.parametrize("moved", [MIN_MOVED - 1, MIN_MOVED])
def test_few_people_who_differ_have_no_interval(moved: int) -> None:
    """If five of five people improve, a sign test gives 6 %; if six of six do, it gives 3 %."""
    rest = [Pair("print", f"other {place}", False, False) for place in range(2)]
    prints = people(moved, before=True, after=False) + rest
    live = people(4, before=False, after=False, species="")
    total = half_total_change(live + prints)
    assert total is not None
    for change in (changes(prints)["print"], total):
        if moved == MIN_MOVED:
            assert change.interval is not None
            assert change.interval[0] < change.interval[1] < 0.0
            assert change.reason == ""
        else:
            assert change.interval is None
            assert change.reason == "fewer than 6 people change it"


def test_two_people_are_no_proof() -> None:
    """Two attacks that are no longer accepted gave the half total error -0.5 to -0.5."""
    live = people(2, before=False, after=False, species="")
    total = half_total_change(live + people(2, before=True, after=False))
    assert total is not None
    assert (total.before, total.after, total.interval) == (0.5, 0.0, None)


def test_people_who_change_alike_have_no_interval() -> None:
    """Every resample gives the same change, also if a person has two presentations."""
    live = people(12, before=False, after=False, species="")
    prints = people(12, before=True, after=False) + people(3, before=True, after=False)
    total = half_total_change(live + prints)
    assert total is not None
    for change in (changes(prints)["print"], total):
        assert (change.interval, change.reason) == (None, "all people change alike")


def test_people_whose_changes_cancel_do_not_differ() -> None:
    """Of six people four improve; two gain and lose as much, so four decide."""
    prints = people(6, before=True, after=False)
    lost = people(2, before=False, after=True)
    assert changes(prints + lost)["print"].reason == "fewer than 6 people change it"
    live = people(2, before=False, after=True, species="")
    rest = [Pair("", f"{place}", False, False) for place in range(2, 6)]
    total = half_total_change(prints + live + rest)
    assert total is not None
    assert (total.interval, total.reason) == (None, "fewer than 6 people change it")


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
    """The bootstrap of one subject would have no spread, however many attack."""
    pairs = [Pair("", "a", True, False), *people(9, before=True, after=False)]
    assert changes(pairs)[""].interval is None
    total = half_total_change(pairs)
    assert total is not None
    assert total.interval is None
    assert total.reason == "live presentations or attacks come from fewer than 2 people"
