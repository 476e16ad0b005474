"""A worker gets the slab over a socket, and only the slab that the gateway offered."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.errors import ResourceError, SlotError
from shared.frame.slab import Slab, SlotHead
from shared.frame.slab_handover import MAX_HOLDERS, SOCKET, LentSlab, SlabServer
from shared.wire.messages import SlabOffer


@pytest.fixture
def slab() -> Iterator[Slab]:
    made = Slab.create(slots=1, pixels=100)
    yield made
    made.close()


async def lent(offer: SlabOffer) -> LentSlab:
    return await asyncio.to_thread(LentSlab, offer)


async def test_a_worker_maps_what_the_gateway_writes(slab: Slab, tmp_path: Path) -> None:
    """The socket is private to this user and removed with its server."""
    server = SlabServer(slab, tmp_path)
    assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o600
    held = await lent(server.offer)
    assert held.is_of(server.offer)
    assert not held.is_of(msgspec.structs.replace(server.offer, inode=slab.inode + 1))
    slab.write_head(0, SlotHead(3, 2, 5, 4))
    slab.pixels(0, 5, 4)[:] = 9
    assert (held.slab.frame(0, 3, 2) == 9).all()
    assert not held.withdrawn
    held.close()
    server.close()
    assert not (tmp_path / SOCKET).exists()


async def test_a_worker_detects_the_end_of_the_gateway(slab: Slab, tmp_path: Path) -> None:
    """The connection ends with the gateway, so the worker can unmap the memory."""
    server = SlabServer(slab, tmp_path)
    held = await lent(server.offer)
    server.close()
    assert held.withdrawn
    held.close()
    with pytest.raises(SlotError, match="not received"):
        await lent(server.offer)


async def test_the_socket_of_a_dead_gateway_is_replaced(slab: Slab, tmp_path: Path) -> None:
    """A killed gateway leaves its socket file."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    dead.bind(str(tmp_path / SOCKET))
    dead.close()
    server = SlabServer(slab, tmp_path)
    (await lent(server.offer)).close()
    server.close()


async def test_other_memory_than_was_offered_is_refused(slab: Slab, tmp_path: Path) -> None:
    """An impostor's slab has another inode, even with the same name."""
    impostor = Slab.create(slots=1, pixels=100)
    server = SlabServer(impostor, tmp_path)
    with pytest.raises(SlotError, match="received memory is not"):
        await lent(SlabOffer(server.offer.path, impostor.name, slab.inode))
    with pytest.raises(SlotError, match="received slab is not"):
        await lent(msgspec.structs.replace(server.offer, slab="0" * 32))
    server.close()
    impostor.close()


async def test_a_gateway_that_hands_over_nothing_is_refused(slab: Slab, tmp_path: Path) -> None:
    """A message without a descriptor is refused."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / SOCKET))
    listener.listen()
    offer = SlabOffer(str(tmp_path / SOCKET), slab.name, slab.inode)
    asked = asyncio.create_task(lent(offer))
    holder, _ = await asyncio.to_thread(listener.accept)
    holder.send(b"S")
    with pytest.raises(SlotError, match="no memory"):
        await asked
    holder.close()
    listener.close()


async def test_the_number_of_connections_is_limited(slab: Slab, tmp_path: Path) -> None:
    """One too many is closed at once; a released place can be used again."""
    server = SlabServer(slab, tmp_path)
    held = [await lent(server.offer) for _ in range(MAX_HOLDERS)]
    with pytest.raises(SlotError):
        await lent(server.offer)
    held.pop().close()
    await asyncio.sleep(0)  # the server has noticed its end
    for _ in range(100):
        try:
            held.append(await lent(server.offer))
            break
        except SlotError:
            await asyncio.sleep(0.01)
    assert len(held) == MAX_HOLDERS
    for one in held:
        one.close()
    server.close()


async def test_a_folder_that_cannot_hold_it_is_named(slab: Slab, tmp_path: Path) -> None:
    """The error names the setting."""
    with pytest.raises(ResourceError, match=r"TRANSPORT\.runtimeDirectory"):
        SlabServer(slab, tmp_path / "nowhere")
