"""A channel passes on every message, even if the handling of one fails."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import zmq

from shared.wire.transport import Channel


async def test_an_error_in_one_message_loses_no_other(tmp_path: Path) -> None:
    """Messages after it in the socket are passed on at once, and so are later ones."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    seen: list[bytes] = []
    last = asyncio.Event()

    def handle(_peer: bytes, message: bytes) -> None:
        seen.append(message)
        if message == b"3":
            last.set()
        if message == b"bad":
            raise RuntimeError("a fault of the receiver")

    sender: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    sender.bind(f"ipc://{tmp_path}/line")
    receiver: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    receiver.connect(f"ipc://{tmp_path}/line")
    for message in (b"bad", b"1", b"bad", b"2"):
        sender.send(message)
    await asyncio.sleep(0.1)  # until all of them are in the socket
    channel = Channel(receiver, handle)
    sender.send(b"3")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(last.wait(), 60)
    channel.close()
    sender.close(linger=0)
    assert seen == [b"bad", b"1", b"bad", b"2", b"3"]
    assert len(faults) == 2
