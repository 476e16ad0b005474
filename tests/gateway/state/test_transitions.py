"""The table of a session's states is complete, and the documentation shows it."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args
from xml.etree import ElementTree

import pytest

from gateway.state.transitions import TRANSITIONS, Event, State

DIAGRAM = Path(__file__).parents[3] / "docs" / "session-states.svg"


def drawn() -> dict[State, dict[Event, State]]:
    """The table in the diagram: events within a state, and arrows between states."""
    table: dict[State, dict[Event, State]] = {}
    groups = ElementTree.parse(DIAGRAM).getroot().findall("{*}g")
    for group in groups:
        if "data-state" in group.attrib:
            table[State[group.attrib["data-state"]]] = {}
    for group in groups:
        words = " ".join(text.text or "" for text in group.findall("{*}text"))
        if "data-state" in group.attrib:
            state = State[group.attrib["data-state"]]
            stays = group.attrib["data-stays"].split()
            table[state].update(dict.fromkeys(map(event, stays), state))
            shown = [state.name, f"stays: {', '.join(stays)}"] if stays else [state.name]
        else:
            name = group.attrib["data-event"]
            for start in group.attrib["data-from"].split():
                assert event(name) not in table[State[start]]
                table[State[start]][event(name)] = State[group.attrib["data-to"]]
            shown = [name]
        assert words == " ".join(shown)
    return table


def event(name: str) -> Event:
    assert name in get_args(Event)
    return cast(Event, name)


def test_the_documentation_shows_the_table() -> None:
    """The diagram in docs/ has exactly the transitions of the code, in its words."""
    assert drawn() == TRANSITIONS


def test_every_state_is_in_the_table() -> None:
    """It can be reached from the first one."""
    reached, new = set(), {State.OPENING}
    while new:
        reached |= new
        new = {target for state in new for target in TRANSITIONS[state].values()} - reached
    assert reached == set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", list(State)[:-1], ids=lambda state: state.name)
def test_a_session_can_always_end(state: State) -> None:
    """Another gateway may take it over at any moment; nothing happens after that."""
    assert TRANSITIONS[state]["end"] is State.ENDED
    assert TRANSITIONS[State.ENDED] == {}


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_a_verdict_is_final(state: State) -> None:
    """After a verdict a session is released or ends, and none of its frames starts."""
    after = {State.DECIDED, State.RELEASED, State.ENDED}
    if state in after:
        assert set(TRANSITIONS[state].values()) <= after
        assert "start" not in TRANSITIONS[state]
        assert "decide" not in TRANSITIONS[state]
