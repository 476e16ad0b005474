"""Any session with any plugins comes out the same, however often the aggregator dies."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.frame_memory import Claim
from loadtest.look import Look
from shared.messages import END
from tests.support.acting import Director, obeying, play
from tests.support.judge import plugin_config

PLUGINS: dict[str, list[dict[str, Any] | None]] = {
    "FaceMatcher": [None, {"similarity": 0.95}],
    "Bestshot": [None],
    "VirtualCameraChecker": [{"threshold": 0.7}, {"threshold": 1.0}],
    "Luna3DescriptorQualityCheck": [{"descriptorQualityThreshold": 0.5}],
    "AggregateLiveness": [{"framesCount": 1}, {"framesCount": 4}],
    "ActiveLiveness": [
        {"interactionsCount": 1, "cooldownFramesCount": 2},
        {"interactionsCount": 2, "wrongActionsAllowed": 0, "acceptOneEyed": 1},
        {"interactionsCount": 3, "totalTimeout": 9.0, "actionTimeout": 4.0},
    ],
    "tests.support.plugins:Oracle": [None],
    "FileLogger": [None],
    "VideoRedis": [None],
    "Callbacks": [{"url": "http://127.0.0.1:1/"}],
}
"""Every plugin with some arguments."""

CONFIGURATIONS = st.builds(
    lambda plugins, manual, limits: plugin_config(plugins, LIVENESS=manual, LIMITS=limits),
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(args) for name, args in PLUGINS.items()}
    ),
    st.fixed_dictionaries({}, optional={"maxAttempts": st.integers(1, 60)}),
    st.fixed_dictionaries({}, optional={"livenessRefusals": st.integers(0, 5)}),
)
ANSWERS = [b'{"quality": 0.9}', b'{"quality": 0.9}', b'{"quality": 0.1}', b'{"refused": 1}', None]


def clumsy(seed: int) -> Director:
    """Obeys most of the time, and does whatever at others."""
    obedient, chance = obeying(seed), random.Random(seed)

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        look = obedient(now, codes)
        if chance.random() < 0.05:
            return Look(yaw=chance.choice([-25.0, 0.0, 25.0]), left_eye_closed=chance.random())
        return look

    return direct


@settings(max_examples=150, deadline=None)
@given(
    CONFIGURATIONS,
    st.integers(0, 2**63 - 1),
    st.sets(st.integers(1, 60), max_size=5),
    st.sets(st.integers(1, 60), max_size=5),
    st.sets(st.integers(1, 60), max_size=10),
    st.sets(st.integers(2, 60), max_size=10),
    st.sets(st.integers(1, 60), max_size=10),
    st.dictionaries(
        st.integers(1, 60), st.sampled_from([Claim.REUSED, Claim.ACCEPTED]), max_size=3
    ),
    st.booleans(),
)
def test_a_restart_changes_nothing(
    config: Any,
    seed: int,
    restarts: set[int],
    handovers: set[int],
    blur: set[int],
    copies: set[int],
    refused: set[int],
    elsewhere: dict[int, Claim],
    passive: bool,
) -> None:
    """The same answers, the same token to the last byte, the same effects under the same keys.

    A restart may come while a question is open. ``play`` also compares each replayed frame with
    what it was at first. The picture in the token is the one that was encoded at first, with the
    digest of what was received then.
    """

    def run(restarts: Collection[int] = (), handovers: Collection[int] = ()) -> Any:
        return play(
            config,
            clumsy(seed),
            seed=seed,
            fps=6.0,
            seconds=12.0,
            passive=passive,
            outside=lambda number: random.Random(seed ^ number).choice(ANSWERS),
            restarts=restarts,
            handovers=handovers,
            blur=blur,
            copies=copies,
            refused=refused,
            elsewhere=elsewhere,
        )

    undisturbed, disturbed = run(), run(restarts, handovers)
    assert disturbed.outcomes == undisturbed.outcomes
    assert disturbed.result == undisturbed.result
    assert disturbed.kept == undisturbed.kept
    assert disturbed.asked == undisturbed.asked
    assert disturbed.events == undisturbed.events
    keys = [event.seq for event in disturbed.events]
    assert keys == sorted(set(keys))
    assert (keys[-1] == END) is undisturbed.last.final
