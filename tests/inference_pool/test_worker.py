"""A worker: what a reload may turn off, and its shutdown without a gateway."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import zmq

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from inference_pool.worker import Worker, make_estimator
from shared.config.generation import Generation, with_transport_keys
from shared.config.parts import Part
from shared.config.service import Config
from shared.errors import ModelError
from shared.frame.estimation import Capabilities, HeadPose, Liveness, Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Done, Job, Leaving, Open, Ready, SlabOffer, encode
from tests.inference_pool.recording import RecordingBackend
from tests.support.judge import SESSION, plugin_config, shot
from tests.support.waiting import wait_for

FRAME = np.full((480, 640, 3), 127, np.uint8)
WEAK = Capabilities(passive_liveness=True, descriptor=True, name="weak", needs_actions=True)


def session(config: Config) -> JudgedSession:
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    return JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)


def show(judged: JudgedSession, seq: int, config: Config) -> Outcome:
    """Judge a frame that passed every check of a backend with weak models."""
    estimator = make_estimator(RecordingBackend(capabilities=WEAK), config)
    estimate = replace(estimator.estimate(FRAME, Profile.PASSIVE), pixels=bytes([seq] * 16))
    assert estimate.ok
    outcome = judged.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq))
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("plugins", [{}, {"Bestshot": None, "Result": None}], ids=["none", "usual"])
def test_a_reload_cannot_turn_off_the_actions_of_weak_models(plugins: dict[str, None]) -> None:
    """The worker keeps its estimator, and the aggregator accepts no frame without the actions."""
    acting = plugin_config({**plugins, "ActiveLiveness": None})
    reloaded = plugin_config(dict(plugins))
    with pytest.raises(ModelError, match="ActiveLiveness"):
        make_estimator(RecordingBackend(capabilities=WEAK), reloaded)
    judged = session(reloaded)
    outcomes = [show(judged, seq, acting) for seq in (1, 2)]
    assert [outcome.errors for outcome in outcomes] == [(31,), (31,)]


def test_after_the_actions_weak_models_may_decide() -> None:
    """The best shot may come from before the actions."""
    acting = plugin_config({"ActiveLiveness": None})
    judged = session(plugin_config({"Bestshot": None, "Result": None}))
    assert not show(judged, 1, acting).accepted
    judged.context.acted = True
    assert show(judged, 2, acting).accepted
    assert judged.context.best_seq == 1


@pytest.mark.parametrize(
    ("plugins", "described"),
    [
        (["FaceMatcher"], False),
        (["LifeSigns"], False),
        (["LifeSigns", "FaceMatcher"], True),
        (["AggregateLiveness"], True),
    ],
)
def test_refused_frames_have_a_descriptor_where_they_count(
    plugins: list[str], described: bool
) -> None:
    """LifeSigns counts them, so it must know their face if it knows that of the others."""
    backend = RecordingBackend(liveness_answer=Liveness(0.1, 0.9))
    estimator = make_estimator(backend, plugin_config(dict.fromkeys(plugins)))
    estimate = estimator.estimate(FRAME, Profile.PASSIVE)
    assert not estimate.ok
    assert (estimate.descriptor is not None) is described


class FixedPart:
    """A source with one part, which never changes."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def reload(self) -> Part:
        return self.part


def made(
    directory: Path, backend: RecordingBackend, interval: float = 1.0, clock: Clock = SYSTEM
) -> Worker:
    """A worker without a gateway."""
    sections = {
        "TRANSPORT": {"runtimeDirectory": str(directory)},
        "WORKERS": {"heartbeatInterval": interval},
    }
    part = Generation(with_transport_keys(plugin_config({}, **sections))).part("worker")
    make = partial(make_estimator, backend)
    return Worker(FixedPart(part), "worker-0", make, backend.capabilities, clock=clock)


def test_a_worker_that_leaves_does_not_register_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its gateway restarts meanwhile, which offers its slab to every worker."""
    worker, sent = made(tmp_path, RecordingBackend()), []
    monkeypatch.setattr("inference_pool.worker.LentSlab", Mock())
    monkeypatch.setattr(worker, "_send", sent.append)
    offer = encode(SlabOffer("/run/slab", "slab", 7))
    worker._receive(offer)
    assert len(sent) == 1
    worker.leave()
    worker._receive(offer)
    worker._receive(encode(Job(1, 2, 3, SESSION, 4, Profile.ACTIVE, True, 0.0)))
    worker._finish()
    assert [type(message) for message in sent] == [Ready, Done, Leaving]


def test_a_worker_without_a_gateway_stops_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any time without one, it drops what the queue does not accept, and never blocks."""
    monkeypatch.setitem(zmq.Context.instance().sockopts, zmq.SNDHWM, 2)
    reads: list[float] = []  # readings of the clock, each a second later

    def monotonic() -> float:
        reads.append(float(len(reads)))
        return reads[-1]

    worker = made(tmp_path, RecordingBackend(), 0.001, Clock(monotonic=monotonic))
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    wait_for(lambda: len(reads) > 100)
    worker.leave()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("yaw", "quick", "early"),
    [
        (0, False, False),
        (40, False, True),
        (40, True, True),
        (23, False, True),
        (23, True, False),  # the quick look was in vain
    ],
)
def test_an_answer_says_whether_a_quick_look_pays_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yaw: float, quick: bool, early: bool
) -> None:
    """After an early refusal, but not if the frame is too close to a threshold for a quick look."""
    capable = Capabilities(True, True, "fixed", quick_look=True)
    backend = RecordingBackend(capabilities=capable, pose_answer=HeadPose(yaw, 0, 0))
    worker, sent = made(tmp_path, backend), []
    monkeypatch.setattr(worker, "_send", sent.append)
    monkeypatch.setattr(worker, "_lent", Mock(slab=Mock(frame=lambda *_: FRAME)))
    worker._work(Job(1, 2, 3, SESSION, 4, Profile.PASSIVE, False, inf, quick=quick))
    worker._finish()
    done, _ = sent
    assert (done.passed, done.early) == (yaw == 0, early)
