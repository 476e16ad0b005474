"""What a line between two roles costs: a socket file and TCP, each with CurveZMQ and without.

One process sends messages as a gateway sends questions to its aggregator, another one takes them
from the loop as the aggregator does. Lines without keys are no choice of the service; they show
what the keys cost.

    python -m benchmarks.transport [SECONDS]
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from unittest import mock

import uvloop
import zmq

from shared.config.parts import with_transport_keys
from shared.config.service import Config, TransportSection
from shared.wire import transport
from shared.wire.lines import AGGREGATOR
from tests.support.service import free_port

SIZES = {"estimate alone": 400, "with a JPEG": 60_000, "with the largest": 200_000}
WAYS = ("socket file, plain", "socket file", "TCP, plain", "TCP")


@dataclass(frozen=True)
class Figures:
    """Of one way and one size of message."""

    per_second: float
    sender_us: float
    receiver_us: float


def cpu() -> float:
    """Processor seconds of this process so far, ZeroMQ's threads too."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def keys_of(way: str) -> contextlib.AbstractContextManager[object]:
    """Leave the keys out where a way is plain."""
    if not way.endswith("plain"):
        return contextlib.nullcontext()
    without = dict.fromkeys(("secure_client", "secure_server", "Guard"), mock.DEFAULT)
    return mock.patch.multiple(transport, **without)


def send(config: Config, way: str, size: int, told: object) -> None:
    """Send as long as somebody takes it; tell the processor time of each message."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.SNDHWM, 1000)
    socket.setsockopt(zmq.SNDTIMEO, 500)
    with keys_of(way):
        transport.connect(socket, config, AGGREGATOR)
    message = bytes(size)
    socket.send(message)
    count, began = 0, cpu()
    with contextlib.suppress(zmq.Again):  # the receiver has enough
        while True:
            socket.send(message)  # waits where the receiver is slower
            count += 1
    told.put((cpu() - began) / count)  # type: ignore[attr-defined]
    socket.close(linger=0)


async def receive(config: Config, way: str, seconds: float) -> tuple[float, float]:
    """Messages in a second, and processor seconds of each."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.setsockopt(zmq.RCVHWM, 1000)
    count = 0
    first = asyncio.Event()

    def take(_peer: bytes, _message: bytes) -> None:
        nonlocal count
        count += 1
        first.set()

    with keys_of(way):
        channel = transport.serve(socket, config, AGGREGATOR, take)
    await asyncio.wait_for(first.wait(), 30)
    before, used, began = count, cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    got, used, lasted = count - before, cpu() - used, time.monotonic() - began
    channel.close()
    return got / lasted, used / got


def measure(way: str, size: int, seconds: float) -> Figures:
    """Run sender and receiver in processes of their own."""
    with tempfile.TemporaryDirectory(prefix="lp-") as folder:
        address = f"tcp://127.0.0.1:{free_port()}" if way.startswith("TCP") else ""
        section = TransportSection(aggregator=address, runtimeDirectory=folder)
        config = with_transport_keys(Config(TRANSPORT=section))
        start = multiprocessing.get_context("spawn")
        told = start.Queue()
        sender = start.Process(target=send, args=(config, way, size, told))
        sender.start()
        per_second, receiver = uvloop.run(receive(config, way, seconds))
        figures = Figures(per_second, told.get(timeout=30) * 1e6, receiver * 1e6)
        sender.join()
    return figures


def main() -> None:
    """Run and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    print(f"{'message':>20} {'way':>18} {'messages/s':>11} {'sender us':>10} {'receiver us':>12}")
    for name, size in SIZES.items():
        for way in WAYS:
            figures = measure(way, size, seconds)
            print(
                f"{name:>20} {way:>18} {figures.per_second:11.0f} {figures.sender_us:10.1f} "
                f"{figures.receiver_us:12.1f}"
            )


if __name__ == "__main__":
    main()
