"""Every session has the same outcome with any plugins, however often the aggregator dies."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from typing import Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.frame_memory import Claim
from loadtest.synthetic.look import Look
from shared.wire.records import END
from tests.support.acting import Director, obeying, play
from tests.support.judge import plugin_config

PLUGINS: dict[str, list[dict[str, Any] | None]] = {
    "FaceMatcher": [None, {"similarity": 0.95}],
    "Bestshot": [None],
    "VirtualCameraChecker": [{"threshold": 0.7}, {"threshold": 1.0}],
    "Luna3DescriptorQualityCheck": [{"descriptorQualityThreshold": 0.5}],
    "AggregateLiveness": [{"framesCount": 1}, {"framesCount": 4}],
    "LifeSigns": [
        {"framesCount": 4, "minSeconds": 1.0, "windowSeconds": 1.5, "eyesDeviation": 0.02},
        {"framesCount": 8, "minSeconds": 2.0, "windowSeconds": 2.0, "fixedCamera": 1},
        {"framesCount": 8, "refuseScore": 0.2, "eyesDeviation": 0.0, "poseDeviation": 0.0},
    ],
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
STEPS = st.dictionaries(
    st.integers(1, 60), st.sampled_from([20.0, -20.0, -3600.0, 86_400.0]), max_size=4
)
"""Steps of the wall clock in seconds, each with the number of the frame that follows it."""
FPS = 8.0
"""Its times are binary fractions, so the clocks of two gateways give exactly the same values."""
ANSWERS = [b'{"quality": 0.9}', b'{"quality": 0.9}', b'{"quality": 0.1}', b'{"refused": 1}', None]


def unreliable(seed: int) -> Director:
    """A person who obeys most prompts and otherwise moves at random."""
    obedient, chance = obeying(seed), random.Random(seed)

    def direct(now: float, codes: tuple[int, ...]) -> Look:
        look = obedient(now, codes)
        if chance.random() < 0.05:
            return Look(yaw=chance.choice([-25.0, 0.0, 25.0]), left_eye_closed=chance.random())
        return look

    return direct


def perform(config: Any, seed: int, **changes: Any) -> Any:
    """Play nine seconds of such a person; ``changes`` are further arguments of ``play``."""
    return play(
        config,
        unreliable(seed),
        seed=seed,
        fps=FPS,
        seconds=9.0,
        outside=lambda number: random.Random(seed ^ number).choice(ANSWERS),
        **changes,
    )


@settings(max_examples=400, deadline=None)
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
    STEPS,
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
    steps: dict[int, float],
) -> None:
    """A replay repeats the answers, the token and the keyed side effects, byte for byte.

    A restart may come while a question is open. ``play`` also compares each replayed frame with its
    first outcome. The token has the image encoded at first and the digest of the bytes received
    then. The wall clock may step, and a gateway that takes over the session has another monotonic
    clock.
    """

    def run(restarts: Collection[int] = (), handovers: Collection[int] = ()) -> Any:
        return perform(
            config,
            seed,
            passive=passive,
            restarts=restarts,
            handovers=handovers,
            blur=blur,
            copies=copies,
            refused=refused,
            elsewhere=elsewhere,
            steps=steps,
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


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(PLUGINS[name])
            for name in ("FaceMatcher", "AggregateLiveness", "LifeSigns", "ActiveLiveness")
        },
    ),
    st.integers(0, 2**63 - 1),
    st.sets(st.integers(1, 60), max_size=3),
    st.sets(st.integers(1, 60), max_size=3),
)
def test_images_that_are_left_out_are_not_missed(
    plugins: dict[str, Any], seed: int, refused: set[int], restarts: set[int]
) -> None:
    """Outcomes and token are those of a gateway that encodes every frame that passed.

    The aggregator may restart, then the images are missing in the replay, too.
    """
    config = plugin_config({"Bestshot": None, **plugins})
    needed, every = (
        perform(
            config,
            seed,
            refused=refused,
            restarts=() if encodes_all else restarts,
            encodes_all=encodes_all,
        )
        for encodes_all in (False, True)
    )
    assert needed.outcomes == every.outcomes
    assert (needed.kept, needed.result) == (every.kept, every.result)


def without_dates(result: str) -> dict[str, Any]:
    """Return the text of RESULT without the times of its token."""
    body: dict[str, Any] = json.loads(result)["body"] if result else {}
    if body.get("jwt"):
        claims = jwt.decode(body["jwt"], options={"verify_signature": False})
        body["jwt"] = {name: claims[name] for name in claims if name not in ("iat", "exp")}
    return body


@settings(max_examples=100, deadline=None)
@given(
    CONFIGURATIONS,
    st.integers(0, 2**63 - 1),
    st.sets(st.integers(1, 60), max_size=3),
    st.sets(st.integers(1, 60), max_size=3),
    STEPS,
)
def test_a_step_of_the_wall_clock_changes_nothing(
    config: Any, seed: int, restarts: set[int], handovers: set[int], steps: dict[int, float]
) -> None:
    """Answers and side effects stay the same. Only the token's times follow the clock."""

    def run(steps: dict[int, float], *disturbances: Collection[int]) -> Any:
        restarts, handovers = disturbances or ((), ())
        return perform(
            config,
            seed,
            steps=steps,
            restarts=restarts,
            handovers=handovers,
        )

    steady, stepped = run({}), run(steps, restarts, handovers)
    assert stepped.outcomes == steady.outcomes
    assert without_dates(stepped.result) == without_dates(steady.result)
    assert [event.at for event in stepped.events] == [event.at for event in steady.events]
    if stepped.last.accepted:
        token = json.loads(stepped.result)["body"]["jwt"]
        claims = jwt.decode(token, options={"verify_signature": False})
        number = stepped.log[-1].seq
        moved = sum(step for before, step in steps.items() if before <= number)
        assert claims["iat"] == int(1000.0 + number / FPS + moved)
        assert claims["exp"] == claims["iat"] + config.LUNA_PASS.JWT.lifetime
