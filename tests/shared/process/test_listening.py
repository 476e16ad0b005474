"""Listening sockets: opened from the configuration, or inherited."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from shared.config.service import Config
from shared.errors import ResourceError
from shared.process.listening import adopt, inherited_listeners, open_listeners


def config(port: int = 0, **transport: int) -> Config:
    return Config.model_validate(
        {"LUNA_PASS": {"host": "127.0.0.1", "port": port}, "TRANSPORT": transport}
    )


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def test_cells_share_a_port() -> None:
    """Several cells listen on one port; a single cell does not share it."""
    first = open_listeners(config(cells=2))
    second = open_listeners(config(port_of(first.sockets[0]), cells=2))
    with pytest.raises(ResourceError, match="in use"):
        open_listeners(config(port_of(first.sockets[0])))
    first.close()
    second.close()


def test_a_cell_has_its_own_port() -> None:
    """Cell K also listens on cellPort + K."""
    probe = open_listeners(config())
    free = port_of(probe.sockets[0])
    probe.close()
    listeners = open_listeners(config(cells=2, cell=1, cellPort=free - 1))
    assert free in [port_of(listener) for listener in listeners.sockets]
    listeners.close()


def test_inherited_sockets_are_kept_by_another_process() -> None:
    """Inherited descriptors listen, and are not passed to further children."""
    mine = open_listeners(config())
    copy = os.dup(mine.descriptors[0])
    taken = adopt([copy], inherited=True)
    assert taken.inherited
    assert port_of(taken.sockets[0]) == port_of(mine.sockets[0])
    assert not os.get_inheritable(copy)
    taken.close()
    mine.close()


def test_a_descriptor_that_does_not_listen_is_refused(tmp_path: Path) -> None:
    """A file or a socket that does not listen prevents the start."""
    with (tmp_path / "file").open("wb") as file, pytest.raises(ResourceError, match="socket"):
        adopt([os.dup(file.fileno())], inherited=True)
    with socket.socket() as idle, pytest.raises(ResourceError, match="does not listen"):
        adopt([os.dup(idle.fileno())], inherited=True)


@pytest.mark.parametrize("count", ["x", "-1", "1.0", ""])
def test_a_wrong_number_of_sockets_is_one_line(count: str) -> None:
    """It comes from the environment; a gateway without its sockets must not start."""
    with pytest.raises(ResourceError, match="LISTEN_FDS"):
        inherited_listeners({"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid())})


@pytest.mark.parametrize(
    "environment",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, {"LISTEN_PID": "1"}],
)
def test_sockets_of_another_process_are_left_alone(environment: dict[str, str]) -> None:
    """Only sockets that systemd passes to this process are used."""
    assert inherited_listeners(environment) is None


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1", "0.0.0.0.0", "a..b"])
def test_a_wrong_host_is_blamed_on_the_host(host: str) -> None:
    """The message names LUNA_PASS.host and not the port."""
    broken = Config.model_validate({"LUNA_PASS": {"host": host, "port": 0}})
    with pytest.raises(ResourceError, match=rf"LUNA_PASS\.host {re.escape(host)}: ") as caught:
        open_listeners(broken)
    assert "LUNA_PASS.port" not in str(caught.value)


def test_a_taken_port_is_blamed_on_the_port() -> None:
    """The message names the port and not the host."""
    first = open_listeners(config())
    with pytest.raises(ResourceError, match=r"set LUNA_PASS\.port"):
        open_listeners(config(port_of(first.sockets[0])))
    first.close()


def test_the_ipv6_wildcard_serves_both_families() -> None:
    """``host = "::"`` accepts IPv4 and IPv6 clients."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    listeners = open_listeners(Config.model_validate({"LUNA_PASS": {"host": "::", "port": 0}}))
    port = port_of(listeners.sockets[0])
    for address in ("127.0.0.1", "::1"):
        socket.create_connection((address, port), timeout=60).close()
    listeners.close()
