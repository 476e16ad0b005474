"""Delivery of events: never blocks, is bounded, and settles once every plugin is done."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from aggregator.sinks import writer
from aggregator.sinks.delivery import Effects
from aggregator.sinks.events import FrameJudged
from shared.wire.messages import MAX_MESSAGE_BYTES, Settled, encode
from shared.wire.records import END
from tests.support.events import Recorder, ended, info, judged

CAPACITY = 100_000


def until(effects: Effects, number: int, mark: int) -> list[Settled]:
    """Wait for a session's mark; return everything received until then."""
    received, deadline = list[Settled](), time.monotonic() + 60
    while not any((info(number).session, mark) in each.marks for each in received):
        assert time.monotonic() < deadline, received
        received.append(effects.settled())
        time.sleep(0.002)
    return received


def test_a_session_settles_with_its_slowest_plugin() -> None:
    """The mark of a session waits for every plugin, and each mark is reported once."""
    fast, slow = Recorder(), Recorder()
    slow.gate.clear()
    effects = Effects([fast, slow], CAPACITY)
    for seq in (1, 3):
        effects.put(judged(1, seq))
    while len(fast.events) < 2:
        time.sleep(0.001)
    assert effects.settled().marks == ()
    slow.gate.set()
    until(effects, 1, 3)
    effects.put(ended(1, 3))
    until(effects, 1, END)
    assert effects.settled().marks == ()
    assert [event.seq for event in slow.events] == [1, 3, END]
    effects.close()
    assert slow.closed


def test_a_blocked_plugin_loses_images_then_events_but_no_end() -> None:
    """Judging never waits: events over the limit are dropped and counted, ends are not.

    The plugin blocks until everything is queued, so a ``put`` that waited for it would never
    return.
    """
    recorder = Recorder()
    recorder.gate.clear()
    effects = Effects([recorder], CAPACITY)
    for seq in range(1, 1000):
        effects.put(judged(1, seq, b"\xff\xd8" + bytes(20_000)))
    effects.put(ended(1, 999))
    (health,) = effects.settled().health
    assert health.dropped > 900
    assert health.waiting <= 2.1 * CAPACITY
    recorder.gate.set()
    until(effects, 1, END)
    frames = [event for event in recorder.events if isinstance(event, FrameJudged)]
    assert [f.seq for f in frames] == sorted({f.seq for f in frames})
    pictures = [frame.received is not None for frame in frames]
    assert 0 < sum(pictures) < len(pictures) < 60
    assert len(frames) + health.dropped == 999
    effects.close()


def test_a_plugin_that_raises_is_counted_and_delays_no_session() -> None:
    """An error in one event counts as a drop of that plugin; the session settles."""
    sound, broken = Recorder(), Recorder(fault=lambda event: event.seq == 2)
    effects = Effects([sound, broken], CAPACITY)
    for seq in (1, 2, 3):
        effects.put(judged(1, seq))
    received = until(effects, 1, 3)
    assert [health.dropped for health in received[-1].health] == [0, 1]
    assert [event.seq for event in broken.events] == [1, 3]
    assert [event.seq for event in sound.events] == [1, 2, 3]
    effects.close()


def test_a_blocked_plugin_uses_limited_memory() -> None:
    """Ends alone, each with a best shot, do not fill the memory either."""
    recorder = Recorder()
    recorder.gate.clear()
    effects = Effects([recorder], CAPACITY)
    for number in range(1000):
        effects.put(replace(ended(number, 1), result=bytes(10_000)))
    (health,) = effects.settled().health
    assert 3 * CAPACITY < health.waiting <= 4 * CAPACITY
    assert health.dropped > 900
    recorder.gate.set()
    effects.close()
    assert len(recorder.events) + health.dropped == 1000


def test_a_session_whose_end_is_dropped_still_settles() -> None:
    """It settles after the events queued before it, and no state of it is left."""
    recorder = Recorder()
    recorder.gate.clear()
    effects = Effects([recorder], CAPACITY)
    effects.put(judged(1, 1))
    filler = replace(ended(2, 1), result=bytes(10_000))
    while not effects.settled().health[0].dropped:
        effects.put(filler)
    effects.put(replace(ended(1, 1), result=bytes(10_000)))
    (health,) = effects.settled().health
    assert health.dropped == 2
    assert effects.settled().marks == ()
    recorder.gate.set()
    until(effects, 1, END)
    assert info(1).session not in {e.info.session for e in recorder.events if e.seq == END}
    assert not effects._marks
    assert not effects._reported
    effects.close()


def test_ends_without_room_even_for_a_key_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that hangs forever uses limited memory, however many sessions end."""
    monkeypatch.setattr(writer, "MAX_QUEUED", 100)
    recorder = Recorder()
    recorder.gate.clear()
    effects = Effects([recorder], CAPACITY)
    for number in range(500):
        effects.put(replace(ended(number, 1), result=bytes(10_000)))
    assert effects.settled().health[0].dropped > 400
    assert len(effects._writers[0]._queue) <= 100
    assert len(effects._marks) <= 101  # plus the one being written
    recorder.gate.set()
    effects.close()
    effects.settled()
    assert not effects._marks


def test_a_session_that_continues_elsewhere_is_not_reported() -> None:
    """Queued events are still written, but its marks do not matter here."""
    recorder = Recorder()
    recorder.gate.clear()
    effects = Effects([recorder], CAPACITY)
    effects.put(judged(1, 1))
    effects.forget(info(1).session)
    effects.put(judged(2, 1))
    recorder.gate.set()
    received = until(effects, 2, 1)
    assert [settled.marks for settled in received if settled.marks] == [((info(2).session, 1),)]
    assert len(recorder.events) == 2
    effects.close()


def test_many_marks_are_reported_in_several_messages() -> None:
    """Any number of sessions settles at once.

    Each is reported once, in messages of limited size.
    """
    effects = Effects([Recorder()], CAPACITY * 1000)
    for number in range(2500):
        effects.put(ended(number, 1))
    received, deadline = list[tuple[str, int]](), time.monotonic() + 60
    while len(received) < 2500:
        assert time.monotonic() < deadline
        settled = effects.settled()
        assert len(encode(settled)) < MAX_MESSAGE_BYTES
        received += settled.marks
    assert len(dict(received)) == 2500
    effects.close()


def test_queued_events_are_written_at_shutdown() -> None:
    """A regular shutdown loses nothing."""
    recorder = Recorder()
    effects = Effects([recorder], CAPACITY * 10)
    for seq in range(1, 100):
        effects.put(judged(1, seq))
    effects.close()
    assert len(recorder.events) == 99


def test_without_plugins_nothing_is_reported() -> None:
    """There are no marks without plugins."""
    effects = Effects([], CAPACITY)
    assert not effects
    assert effects.settled() == Settled((), ())
