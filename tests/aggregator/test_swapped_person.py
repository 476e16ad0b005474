"""If one person faces the camera and another one performs the actions, there is no token."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.frame.estimation import Eyes, HeadPose, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

SEEDS = range(20)
"""Seeds of the order of actions."""
THRESHOLDS = [20.0, 35.0]
"""Thresholds of an action in degrees: the default, and a larger one that tolerates more offset."""
OPEN_EYES, SHUT_EYES = Eyes(0.3, 0.3, True, True), Eyes(0.3, 0.3, False, False)


def face(first: float, second: float) -> bytes:
    """Return a descriptor between two unrelated ones."""
    vector = np.zeros(128, np.float32)
    vector[:2] = first, second
    return (vector / np.linalg.norm(vector)).tobytes()


A, B, BETWEEN = face(1, 0), face(0, 1), face(1, 1)


class Play:
    """A session with every plugin that compares faces, and the frames shown to it."""

    def __init__(self, seed: int, threshold: float) -> None:
        angles = {"yawThresholdDeg": threshold, "pitchThresholdDeg": threshold}
        config = plugin_config(
            {
                "FaceMatcher": {},
                "Bestshot": {},
                "ActiveLiveness": angles,
                "AggregateLiveness": {"framesCount": 3},
            }
        )
        plugins = Registry(config).plugins()
        opened = Open("", SESSION, 1000.0, seed, bytes(32))
        self._session = JudgedSession(opened, plugins, config.LIVENESS)
        self._frames = 0
        self.last: Outcome | None = None

    @property
    def is_acting(self) -> bool:
        return self._session.context.profile is Profile.ACTIVE

    @property
    def is_over(self) -> bool:
        return self.last is not None and self.last.final

    def show(
        self, descriptor: bytes, yaw: float = 0.0, pitch: float = 0.0, eyes: Eyes = OPEN_EYES
    ) -> Outcome:
        self._frames += 1
        active = {"profile": Profile.ACTIVE, "stage": Stage.EYES, "liveness": None}
        estimate = live(
            descriptor=descriptor,
            head_pose=HeadPose(yaw, pitch, 0.0),
            eyes=eyes,
            **(active if self.is_acting else {}),
        )
        at = 1000.0 + 0.4 * self._frames
        outcome = self._session.fold(
            self._frames, at, estimate, None, replay=False, shot=shot(self._frames)
        )
        assert isinstance(outcome, Outcome)
        self.last = outcome
        return outcome


def obey(play: Play, actor: bytes, beside: float, threshold: float) -> None:
    """Perform the prompts, always some degrees off straight on the other axis."""
    for _ in range(40):
        if play.is_over or not play.is_acting:
            return
        assert play.last is not None
        match play.last.errors[-1]:
            case Code.ASK_TURN_LEFT:
                play.show(actor, threshold + 10, beside)
            case Code.ASK_TURN_RIGHT:
                play.show(actor, -threshold - 10, beside)
            case Code.ASK_CHIN_UP:
                play.show(actor, beside, threshold + 10)
            case Code.ASK_CHIN_DOWN:
                play.show(actor, beside, -threshold - 10)
            case Code.CLOSE_EYES:
                play.show(actor, 0.0, beside, SHUT_EYES)
            case Code.LOOK_STRAIGHT_PITCH:
                play.show(actor, beside, 0.0)
            case _:
                play.show(actor, 0.0, beside)


def played(seed: int, actor: bytes, *, beside: float, threshold: float, morph: list[bytes]) -> bool:
    """Play person A, the faces between, the actor, and A again; return whether A is accepted."""
    play = Play(seed, threshold)
    while not play.is_acting:
        play.show(A)
    for between in morph:
        play.show(between, 0.0, beside)
    obey(play, actor, beside, threshold)
    while not play.is_over and not play.is_acting:
        play.show(A)
    assert play.last is not None
    return play.last.accepted


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("morph", [[], [BETWEEN], [BETWEEN] * 4], ids=["none", "one", "four"])
@pytest.mark.parametrize("share", [0.0, 0.85], ids=["straight", "beside"])
def test_another_person_cannot_do_the_actions(
    threshold: float, morph: list[bytes], share: float
) -> None:
    """Intermediate faces do not help, nor does a head that is never quite straight."""
    accepted = [
        played(seed, B, beside=share * threshold, threshold=threshold, morph=morph)
        for seed in SEEDS
    ]
    assert not any(accepted)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_same_person_can_do_the_actions(threshold: float) -> None:
    """The control: one person performs the same actions from the first frame to the last."""
    assert all(played(seed, A, beside=5.0, threshold=threshold, morph=[]) for seed in SEEDS)
