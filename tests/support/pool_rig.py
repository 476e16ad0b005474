"""A dispatcher, and one end of a worker's connection to it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import zmq

from gateway.limits.buckets import TokenBucket
from gateway.pool.dispatch import Dispatcher
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.config.service import Config
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.estimation import Capabilities, Estimate, Profile, Rotation
from shared.frame.slab import Slab
from shared.wire.messages import Job, Message, Open, Ready, decode, encode
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until

FRAME = stamped_jpeg(1, 1)
GOOD = encode(Estimate(640, 480))


def session(
    profile: Profile = Profile.PASSIVE, data: bytes = FRAME, rotation: Rotation = 0
) -> Session:
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    made = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, profile=profile)
    header = intake.judge(data, Config().LIMITS).turned(rotation)
    now = time.monotonic()
    made.waiting = PendingFrame(1, data, header, now, now + 60, rotation=rotation)
    return made


class Counting(Dispatcher):
    """Counts the messages that it received."""

    received = 0

    def _receive(self, peer: bytes, data: bytes) -> None:
        super()._receive(peer, data)
        self.received += 1


@dataclass
class Rig:
    """A dispatcher and one end of a worker's socket."""

    dispatcher: Counting
    slab: Slab
    line: zmq.Socket[bytes]
    estimates: list[bytes] = field(default_factory=list)
    frames: list[PendingFrame] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    sent: int = 0

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        self.estimates.append(estimate)
        self.frames.append(frame)

    def refuse(self, session: Session, frame: PendingFrame, error: FrameError) -> None:
        self.refused.append(str(error))

    async def say(self, message: Message) -> None:
        await self.send(encode(message))

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait until the dispatcher has processed them."""
        self.sent += 1
        self.line.send(data)
        await until(lambda: self.dispatcher.received == self.sent)

    async def hear(self) -> Message:
        assert await asyncio.to_thread(self.line.poll, 60_000), "no message arrived"
        return decode(self.line.recv())

    async def job(
        self,
        profile: Profile = Profile.PASSIVE,
        pid: int = 2**62,
        waiting: Session | None = None,
    ) -> Job:
        """Be welcomed as a worker and get a job."""
        await self.say(Ready("w", pid, 1, Capabilities(True, False, "x"), self.slab.name))
        self.dispatcher.submit(waiting or session(profile))
        job = await self.hear()
        assert isinstance(job, Job)
        return job
