"""The kernel's report of a connection's progress."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lunapass_client.tcp import end_stalled_sends, unacknowledged_bytes


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection; the second does not read by itself."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
    ):
        far, _ = server.accept()
        with far:
            yield near, far


def test_bytes_that_the_peer_cannot_buffer_are_unacknowledged(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """They stay in the kernel's buffer; a closed socket has none."""
    near, _ = pair
    assert unacknowledged_bytes(near) == 0
    near.setblocking(False)
    near.send(bytes(30_000_000))  # sends what fits
    assert unacknowledged_bytes(near) > 0
    near.close()
    assert unacknowledged_bytes(near) == 0


def test_a_stalled_send_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    """If the peer stops reading, a blocking send fails."""
    near, _ = pair
    end_stalled_sends(near, 0.5)
    with pytest.raises(TimeoutError):
        near.sendall(bytes(30_000_000))
