"""The dispatcher serves addresses and sessions in turn."""

from __future__ import annotations

import gc
import weakref

from gateway.state.session import Session
from shared.frame.estimation import Capabilities
from shared.wire.messages import Done, Job, Ready
from tests.support.pool_rig import GOOD, Rig, session


def from_address(address: str, identity: str = "0") -> Session:
    made = session()
    made.address, made.id = address, identity * 32
    return made


async def test_addresses_take_turns(rig: Rig) -> None:
    """An address with many queued sessions does not delay another one that came later."""
    for made in (*(from_address("192.0.2.1") for _ in range(5)), from_address("192.0.2.2", "1")):
        rig.dispatcher.submit(made)
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    jobs = [await rig.hear() for _ in range(2)]
    assert {job.session for job in jobs if isinstance(job, Job)} == {"0" * 32, "1" * 32}


async def test_a_single_address_gets_every_place(rig: Rig) -> None:
    """This includes the queue places of busy workers."""
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    for _ in range(3):
        rig.dispatcher.submit(from_address("192.0.2.1"))
    for _ in range(2):
        assert isinstance(await rig.hear(), Job)
    assert rig.dispatcher.free_slots == 0


async def test_an_address_leaves_places_to_others(rig: Rig) -> None:
    """If another address is active, its frames wait in the fair queue and not at a busy worker."""
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    rig.dispatcher.submit(from_address("192.0.2.2", "1"))
    job = await rig.hear()
    assert isinstance(job, Job)
    await rig.say(Done(job.lease, job.slot, job.generation, False, GOOD))
    for _ in range(3):
        rig.dispatcher.submit(from_address("192.0.2.1"))
    assert isinstance(await rig.hear(), Job)
    assert rig.dispatcher.free_slots == 1
    rig.dispatcher.submit(from_address("192.0.2.2", "1"))
    job = await rig.hear()
    assert isinstance(job, Job)
    assert job.session == "1" * 32


async def test_ended_sessions_leave_the_queue_without_workers(rig: Rig) -> None:
    """A session that waits for a worker keeps its place; one with nothing to judge loses it."""
    waiting, ended = session(), session()
    for made in (ended, waiting):
        rig.dispatcher.submit(made)
    ended.waiting = None
    rig.dispatcher.sweep()
    queue = rig.dispatcher._ready
    assert (waiting in queue, ended in queue) == (True, False)
    gone = weakref.ref(ended)
    del made, ended
    gc.collect()
    assert gone() is None
