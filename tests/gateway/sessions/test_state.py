"""The table of a session's states is whole, and the documentation shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.sessions.state import TRANSITIONS, Event, State

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


def diagram() -> str:
    """The table as a state diagram of mermaid; events with the same way share an arrow."""
    lines = ["stateDiagram-v2", "    [*] --> OPENING"]
    for state, events in TRANSITIONS.items():
        arrows: dict[State, list[Event]] = {}
        for event, target in events.items():
            arrows.setdefault(target, []).append(event)
        for target, names in arrows.items():
            lines.append(f"    {state.name} --> {target.name}: {', '.join(names)}")
    return "\n".join([*lines, "    ENDED --> [*]"])


def test_the_documentation_shows_the_table() -> None:
    """The diagram in docs/architecture.md is the one that follows from the code."""
    (shown,) = re.findall(r"```mermaid\n(stateDiagram.*?)\n```", ARCHITECTURE.read_text(), re.S)
    assert shown == diagram()


def test_every_state_is_in_the_table() -> None:
    """And can be reached from the first one."""
    reached, new = set(), {State.OPENING}
    while new:
        reached |= new
        new = {target for state in new for target in TRANSITIONS[state].values()} - reached
    assert reached == set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", list(State)[:-1], ids=lambda state: state.name)
def test_a_session_can_always_end(state: State) -> None:
    """The gateway may lose it to another one at any moment; nothing happens after that."""
    assert TRANSITIONS[state]["end"] is State.ENDED
    assert TRANSITIONS[State.ENDED] == {}


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_a_verdict_is_final(state: State) -> None:
    """From a verdict on a session is released or ends, and no frame of it starts."""
    after = {State.DECIDED, State.RELEASED, State.ENDED}
    if state in after:
        assert set(TRANSITIONS[state].values()) <= after
        assert "start" not in TRANSITIONS[state]
        assert "decide" not in TRANSITIONS[state]
