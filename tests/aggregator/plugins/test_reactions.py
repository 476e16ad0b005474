"""Impossible reaction times are refused; those of people never are."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from math import factorial, perm
from typing import Any

import pytest

from aggregator.plugins.reactions import CONSTANT_SECONDS, MIN_SECONDS, Reactions
from loadtest.synthetic.look import Look
from shared.codes import Code
from shared.config.service import Config
from tests.support.acting import ASKS, Director, Played, obeying, play
from tests.support.judge import plugin_config
from tests.support.service import ROOT


def config(actions: int = 3, allowed: int = 1, **plugins: dict[str, Any]) -> Config:
    args = {"interactionsCount": actions, "wrongActionsAllowed": allowed}
    return plugin_config({"ActiveLiveness": args, **plugins})


def program(pauses: Iterator[float]) -> Director:
    """A program that shows a still for each prompt after a pause."""
    asked, since, pause = 0, 0.0, 0.0

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        nonlocal asked, since, pause
        code = next((code for code in codes if code in ASKS), 0)
        if code and code != asked:
            since, pause = now, next(pauses)
        asked = code
        shows = code and now - since >= pause - 1e-6
        return ASKS[Code(code)].peak if shows else Look()

    return direct


def played(director: Director, seed: int, *, late: float = 0.05, **options: Any) -> Played:
    return play(
        options.pop("config", config()),
        director,
        seed=seed,
        answers_after=lambda: late,
        **options,
    )


@pytest.mark.parametrize("allowed", [0, 1])
def test_an_impossibly_fast_reaction_is_refused(allowed: bool) -> None:
    """An action in the frame after its prompt counts as wrong.

    The last allowed one ends the session.
    """
    for seed in range(10):
        instant = program(itertools.repeat(0.0))
        last = played(instant, seed, config=config(allowed=allowed)).last
        assert (last.accepted, last.errors) == (False, (Code.IMPOSSIBLE_REACTION,))


def test_reactions_after_a_fixed_pause_are_refused() -> None:
    """Equal pauses, to the millisecond over three actions, are detected. Varying ones are not."""
    for seed in range(10):
        fixed = played(program(itertools.repeat(0.5)), seed).last
        assert (fixed.accepted, fixed.errors) == (False, (Code.IMPOSSIBLE_REACTION,))
        varied = itertools.cycle([0.5, 0.8, 0.6, 0.4])
        assert played(program(varied), seed).last.accepted


def test_a_person_is_never_refused() -> None:
    """50 people do 3 actions each, at an even frame rate and with the delays of a real service."""
    chance = random.Random(1)
    for seed in range(50):
        director, late = obeying(seed), lambda: chance.uniform(0.03, 0.09)
        assert play(config(), director, seed=seed, answers_after=late).last.accepted


def test_unknown_times_refuse_no_session() -> None:
    """After a take-over the time of a prompt is unknown; recorded sets have no times at all."""
    assert play(config(), program(itertools.repeat(0.5)), seed=1).last.accepted


def test_a_copy_between_prompt_and_action_hides_nothing() -> None:
    """The reaction time counts from the plugins' last answer, not from the answer to a copy."""
    for number in range(3, 9):
        instant = played(program(itertools.repeat(0.1)), 3, late=0.15, copies={number}).last
        assert not instant.accepted


@pytest.mark.parametrize("pause", [0.0, 0.5, 0.7])
def test_a_replay_gives_the_same_verdict(pause: float) -> None:
    """The log has the times: an aggregator dies at any frame, or another gateway takes over."""
    once = played(program(itertools.repeat(pause)), 5, fps=8.0)
    frames = len(once.outcomes)
    for options in ({"restarts": range(2, frames + 1, 3)}, {"handovers": range(2, frames, 4)}):
        again = played(program(itertools.repeat(pause)), 5, fps=8.0, **options)
        assert again.outcomes == once.outcomes


@pytest.mark.parametrize(
    ("seconds", "impossible"),
    [
        ([MIN_SECONDS - 0.001, 0.7], True),
        ([MIN_SECONDS, 0.7], False),
        ([-0.2], True),
        ([0.5, 0.5], False),
        ([0.5, 0.5, 0.5 + CONSTANT_SECONDS / 2], True),
        ([0.5, 0.5, 0.5 + CONSTANT_SECONDS], False),
        ([], False),
    ],
)
def test_the_limits_themselves(seconds: list[float], impossible: bool) -> None:
    """Two equal pauses may be chance, and a frame may even arrive too early."""
    reactions = Reactions()
    for second in seconds:
        reactions.expect()
        reactions.ask()
        reactions.sent(0.0)
        reactions.ask()
        reactions.sent(99.0)  # a later answer with the same prompt
        reactions.shown(second)
    assert reactions.are_impossible is impossible


def test_the_docs_state_the_chance_of_a_recording() -> None:
    """Their table has the probabilities that test_active_liveness_attacks.py uses."""
    text = (ROOT / "docs" / "plugins.md").read_text()
    rows = re.findall(r"^\| ([\d, ]+) \| (\d+) \| (\d) in (\d+) \(1 in (\d+)\) \|$", text, re.M)
    stated = {}
    for counts, sequences, times, one_in, strict in rows:
        for count in counts.split(", "):
            stated[int(count)] = int(sequences), int(times) / int(one_in), 1 / int(strict)
    chances = {n: factorial(5 - n) / factorial(5) for n in range(1, 6)}
    assert stated == {n: (perm(5, n), pytest.approx(2 * p), p) for n, p in chances.items()}
