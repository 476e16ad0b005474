"""Cost of a line between two roles: socket file and TCP, each with CurveZMQ and without.

One process sends messages like a gateway to its aggregator, another receives them in its event loop
like the aggregator. The service has no lines without keys; they show the cost of the keys.

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

from shared.config.generation import with_transport_keys
from shared.config.service import Config, TransportSection
from shared.wire import transport
from shared.wire.lines import AGGREGATOR
from tests.support.service import free_port

SIZES = {"estimate alone": 400, "with a JPEG": 60_000, "with the largest": 200_000}
WAYS = ("socket file, plain", "socket file", "TCP, plain", "TCP")


@dataclass(frozen=True)
class Figures:
    """Figures of one kind of line and one size of message."""

    per_second: float
    sender_us: float
    receiver_us: float


def cpu() -> float:
    """CPU seconds of this process so far, including ZeroMQ's threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def keys_of(way: str) -> contextlib.AbstractContextManager[object]:
    """Disable the keys for the plain kinds of line."""
    if not way.endswith("plain"):
        return contextlib.nullcontext()
    without = dict.fromkeys(("secure_client", "secure_server", "Guard"), mock.DEFAULT)
    return mock.patch.multiple(transport, **without)


def send(config: Config, way: str, size: int, results: object) -> None:
    """Send until the receiver is gone; put the CPU seconds per message into a queue."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.SNDHWM, 1000)
    socket.setsockopt(zmq.SNDTIMEO, 500)
    with keys_of(way):
        transport.connect(socket, config, AGGREGATOR)
    message = bytes(size)
    socket.send(message)
    count, start = 0, cpu()
    with contextlib.suppress(zmq.Again):  # the receiver is gone
        while True:
            socket.send(message)  # waits if the receiver is slower
            count += 1
    results.put((cpu() - start) / count)  # type: ignore[attr-defined]
    socket.close(linger=0)


async def receive(config: Config, way: str, seconds: float) -> tuple[float, float]:
    """Return messages per second and CPU seconds per message."""
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
    before, used, start = count, cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    received, used, elapsed = count - before, cpu() - used, time.monotonic() - start
    channel.close()
    return received / elapsed, used / received


def measure(way: str, size: int, seconds: float) -> Figures:
    """Run sender and receiver in two processes."""
    with tempfile.TemporaryDirectory(prefix="lp-") as folder:
        address = f"tcp://127.0.0.1:{free_port()}" if way.startswith("TCP") else ""
        section = TransportSection(aggregator=address, runtimeDirectory=folder)
        config = with_transport_keys(Config(TRANSPORT=section))
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        sender = context.Process(target=send, args=(config, way, size, results))
        sender.start()
        per_second, receiver = uvloop.run(receive(config, way, seconds))
        figures = Figures(per_second, results.get(timeout=30) * 1e6, receiver * 1e6)
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
