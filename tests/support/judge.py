"""An aggregator in the test's own process, and a gateway's side of their communication."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import zmq

from aggregator.service import Aggregator
from shared.config.generation import with_transport_keys
from shared.config.handover import PartSource
from shared.config.service import Config
from shared.frame.best_shot import BestShot, ImageSource
from shared.frame.estimation import Estimate, Eyes, HeadPose, Liveness, Profile, Stage
from shared.wire.curve import secure_client
from shared.wire.messages import (
    Account,
    Close,
    GatewayHello,
    Judge,
    Judgement,
    Message,
    Open,
    Resume,
    Settled,
    Welcome,
    decode,
    encode,
)
from shared.wire.records import Judged
from shared.wire.transport import Channel

KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"
SESSION = "0" * 32
DIGEST = bytes(32)


def live(score: float = 0.9, **changes: Any) -> Estimate:
    """Return the estimate of a straight, open-eyed frame that passed every stage."""
    values: dict[str, Any] = {
        "width": 640,
        "height": 480,
        "profile": Profile.PASSIVE,
        "stage": Stage.LIVENESS,
        "faces": 1,
        "head_pose": HeadPose(0.0, 0.0, 0.0),
        "eyes": Eyes(0.3, 0.3, True, True),
        "liveness": Liveness(score, 1.0),
    }
    return Estimate(**{**values, **changes})


def shot(seq: int, image: bytes = b"jpeg") -> BestShot:
    """Return the best shot of a frame whose judged pixels are encoded as these bytes."""
    return BestShot(seq, image, ImageSource.of(b"sent for " + image, "png"))


def plugin_config(plugins: dict[str, dict[str, Any] | None], **sections: Any) -> Config:
    """Return a configuration with these plugins on, each with its args."""
    on = {name: {"isEnabled": True, **({"args": a} if a else {})} for name, a in plugins.items()}
    table = {"MIDDLEWARES": {"WS": on}, "LUNA_PASS": {"JWT": {"key": KEY}}, **sections}
    return Config.model_validate(table)


class FakeGateway:
    """Communicates with an aggregator like the gateway, one message at a time.

    ``prepare`` gives its socket keys, or whatever else it needs before it connects.
    """

    def __init__(
        self,
        address: str,
        name: str = "test",
        prepare: Callable[[zmq.Socket[bytes]], None] | None = None,
    ) -> None:
        self.address, self._name = address, name
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.prepare = prepare
        if prepare is not None:
            prepare(socket)
        socket.connect(address)
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._channel = Channel(socket, self._take)
        self.incarnation = ""

    def _take(self, _peer: bytes, data: bytes) -> None:
        message = decode(data)
        if not isinstance(message, Account):  # may arrive at any time
            self._answers.put_nowait(message)

    def send(self, message: Message) -> None:
        self._channel.send(encode(message))

    async def receive(self) -> Any:
        return await asyncio.wait_for(self._answers.get(), 60)

    async def hello(self) -> None:
        self.send(GatewayHello(self._name))
        welcome = await self.receive()
        assert isinstance(welcome, Welcome)
        self.incarnation = welcome.incarnation

    async def open(self, seed: int = 7) -> Any:
        self.send(Open(self.incarnation, SESSION, 1000.0, seed, DIGEST))
        return await self.receive()

    def judge(self, seq: int, estimate: Estimate, picture: bytes = b"jpeg") -> None:
        """Ask for a verdict with the gateway's images: the JPEG only if the frame passed."""
        received, best = (None, shot(seq, picture)) if estimate.ok else (picture, None)
        at = 1000.0 + seq
        self.send(Judge(self.incarnation, SESSION, seq, at, encode(estimate), received, shot=best))

    async def verdict(self) -> Judgement:
        """Receive the next judgement; reports of earlier frames may come before it."""
        while isinstance(verdict := await self.receive(), Settled):
            pass
        assert isinstance(verdict, Judgement)
        return verdict

    def end(self) -> None:
        self.send(Close(self.incarnation, SESSION, 2000.0, "test"))

    async def log(self) -> list[Judged]:
        """Return the log that a restarted gateway gets."""
        self.send(Resume(self.incarnation, SESSION, DIGEST))
        resumed = await self.receive()
        judged: list[Judged] = resumed.history.judged
        return judged

    async def log_while_asking(self) -> list[Judged]:
        """Return the log while a question is open; the verdict on its frame comes before."""
        self.send(Resume(self.incarnation, SESSION, DIGEST))
        await self.verdict()
        resumed = await self.receive()
        judged: list[Judged] = resumed.history.judged
        return judged

    def close(self) -> None:
        self._channel.close()


@contextlib.asynccontextmanager
async def judging(config: Config, directory: Path) -> AsyncIterator[FakeGateway]:
    """Run an aggregator and act as its gateway."""
    async with aggregating(config, directory) as (_, gateway):
        yield gateway


@contextlib.asynccontextmanager
async def aggregating(
    config: Config, directory: Path, source: PartSource | None = None
) -> AsyncIterator[tuple[Aggregator, FakeGateway]]:
    """Run an aggregator that reloads from a source, and act as its gateway."""
    address = f"ipc://{directory}/a"
    transport = config.TRANSPORT.model_copy(update={"aggregator": address})
    config = with_transport_keys(config.model_copy(update={"TRANSPORT": transport}))
    aggregator = Aggregator(config, source)
    running = asyncio.create_task(aggregator.run())
    keys = config.TRANSPORT.KEYS
    gateway = FakeGateway(
        address, prepare=lambda socket: secure_client(socket, keys, "gateway", "aggregator")
    )
    try:
        await gateway.hello()
        yield aggregator, gateway
    finally:
        gateway.close()
        aggregator.stop()
        await running
