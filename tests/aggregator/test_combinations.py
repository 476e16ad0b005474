"""All combinations of Bestshot, Luna3, AggregateLiveness, ActiveLiveness and Result.

The expected outcomes are derived here from the documentation of LUNA PASS and compared with the
plugins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from loadtest.synthetic.look import Look
from shared.codes import Code
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError
from shared.frame.estimation import Profile
from tests.support.acting import Director, Played, obeying, play
from tests.support.judge import KEY, shot

NAMES = (
    "Bestshot",
    "Luna3DescriptorQualityCheck",
    "AggregateLiveness",
    "ActiveLiveness",
    "Result",
)
FRAMES = 3
ARGS: dict[str, dict[str, Any]] = {
    "Luna3DescriptorQualityCheck": {"descriptorQualityThreshold": 0.5, "authToken": "t"},
    "AggregateLiveness": {"framesCount": FRAMES},
    "ActiveLiveness": {"interactionsCount": 2},
}
NEED_RESULT = frozenset(NAMES[:3])
COMBINATIONS = [
    frozenset(name for name, on in zip(NAMES, choice, strict=True) if on)
    for choice in product([False, True], repeat=len(NAMES))
]


def label(combination: frozenset[str]) -> str:
    return "+".join(name for name in NAMES if name in combination) or "none"


each = pytest.mark.parametrize("on", COMBINATIONS, ids=label)
each_usable = pytest.mark.parametrize(
    "on", [one for one in COMBINATIONS if "Result" in one or not one & NEED_RESULT], ids=label
)


def config(on: frozenset[str]) -> Config:
    ws = {name: {"isEnabled": name in on, "args": ARGS.get(name, {})} for name in NAMES}
    for name in ("Bestshot", "Result"):
        del ws[name]["args"]
    return Config.model_validate({"MIDDLEWARES": {"WS": ws}, "LUNA_PASS": {"JWT": {"key": KEY}}})


def good(number: int) -> bytes:
    return b'{"quality": 0.9}'


def still(now: float, codes: tuple[int, ...]) -> Look:
    return Look()


def turned_away(now: float, codes: tuple[int, ...]) -> Look:
    return Look(yaw=40)


def score(played: Played, number: int) -> float | None:
    """Return the liveness score of a frame that may become the best shot."""
    event = played.events[number - 1]
    estimate = event.estimate  # type: ignore[union-attr]
    usable = estimate.ok and estimate.profile is Profile.PASSIVE
    return estimate.liveness.score if usable and estimate.liveness else None


@dataclass
class Expected:
    """What LUNA PASS specifies for a person who passes every check.

    Attributes:
        frames: number of the accepted frame.
        best: number of the frame in the token.
        asked: frames sent to LUNA PLATFORM.
    """

    frames: int
    best: int
    asked: list[int]

    @classmethod
    def of(cls, on: frozenset[str], played: Played) -> Expected:
        scores = {n: score(played, n) for n in range(1, len(played.outcomes) + 1)}
        passive = {n: value for n, value in scores.items() if value is not None}
        gathered = list(passive)[FRAMES - 1] if "AggregateLiveness" in on else 1
        acted = 1
        if "ActiveLiveness" in on:
            active = [n for n in scores if n not in passive]
            acted = next(n for n in passive if n > active[-1])
        frames = max(gathered, acted)
        until = [n for n in passive if n <= frames]
        rising = [n for n in until if all(passive[m] < passive[n] for m in until if m < n)]
        best = rising[-1] if "Bestshot" in on else frames
        asked = rising if "Bestshot" in on else until
        return cls(frames, best, asked if "Luna3DescriptorQualityCheck" in on else [])


@each
def test_a_deciding_plugin_requires_result(on: frozenset[str]) -> None:
    """Plugins whose data Result decides from do not start without Result."""
    if "Result" in on or not on & NEED_RESULT:
        check(config(on))
    else:
        with pytest.raises(ConfigError, match="needs the plugin Result"):
            check(config(on))


@each_usable
@pytest.mark.parametrize("seed", range(3))
def test_a_person_who_passes_everything_is_accepted(on: frozenset[str], seed: int) -> None:
    """The first frame on which all plugins agree is accepted.

    The best shot and the requests are right.
    """
    played = play(config(on), obeying(seed), seed=seed, outside=good)
    assert played.last.accepted
    expected = Expected.of(on, played)
    assert len(played.outcomes) == expected.frames
    assert played.session.context.best_seq == expected.best
    assert played.kept == shot(expected.best, b"picture %d" % expected.best)
    assert played.asked == expected.asked
    if "ActiveLiveness" in on:
        assert len({code for code in played.prompts if code in (62, 64, 65, 67, 68)}) == 2


@each_usable
@pytest.mark.parametrize(
    ("person", "without_actions"),
    [(still, True), (turned_away, False)],
    ids=["a still", "turned away"],
)
def test_a_person_who_does_nothing_passes_only_without_prompts(
    on: frozenset[str], person: Director, without_actions: bool
) -> None:
    """A still photo passes only without ActiveLiveness; a person who looks away never passes."""
    played = play(config(on), person, outside=good, fps=4, seconds=30)
    assert played.last.accepted is (without_actions and "ActiveLiveness" not in on)
    if "ActiveLiveness" in on and without_actions:
        assert played.last.errors == (Code.ACTION_FAILED,)


@each_usable
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (None, Code.EXTERNAL_FAILED),
        (b'{"quality": 0.4}', Code.LOW_AGS),
        (b'{"refused": 36003}', 30),
    ],
    ids=["outage", "poor photo", "refused photo"],
)
def test_no_session_passes_without_the_approval_of_luna_platform(
    on: frozenset[str], answer: bytes | None, code: int
) -> None:
    """While LUNA PLATFORM is down or refuses every photo, no session with Luna3 passes."""
    played = play(config(on), obeying(), outside=lambda number: answer, seconds=15)
    if "Luna3DescriptorQualityCheck" in on:
        assert not any(outcome.accepted for outcome in played.outcomes)
        assert {codes.errors for codes in played.outcomes} == {(code,)}
    else:
        assert played.last.accepted
        assert not played.asked


def test_the_token_contains_the_data_of_all_plugins() -> None:
    """Each plugin's data is in the token's details; raw answers of external services are not."""
    played = play(config(frozenset(NAMES)), obeying(), outside=good)
    body = json.loads(played.result)["body"]
    assert body["isOk"]
    assert set(played.session.context.data) == {"luna3", "aggregateLiveness", "activeLiveness"}
