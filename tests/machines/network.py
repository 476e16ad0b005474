"""Hosts on their own network: namespaces joined by a bridge, ended with the test."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machines.machine import wait_until

SUBNET = "198.18.0"
"""A network reserved for tests (RFC 2544)."""
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Host:
    """A host, or the switch itself.

    Attributes:
        pid: the process that holds its namespace.
        address: its address on the network.
    """

    pid: int
    address: str

    def run(self, *command: str) -> None:
        subprocess.run(["nsenter", "-t", str(self.pid), "-n", "--", *command], check=True)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Create this thread's new sockets and processes in the namespace of this host."""
        with Path("/proc/thread-self/ns/net").open() as here:
            _enter(Path(f"/proc/{self.pid}/ns/net"))
            try:
                yield
            finally:
                if _libc.setns(here.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "cannot come back from the namespace")


def _enter(namespace: Path) -> None:
    with namespace.open() as there:
        if _libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


@dataclass
class Network:
    """A switch and its hosts."""

    switch: Host
    hosts: list[Host]

    def cut(self, number: int) -> None:
        """Unplug a host's cable."""
        self.switch.run("ip", "link", "set", f"port{number}", "down")

    def mend(self, number: int) -> None:
        self.switch.run("ip", "link", "set", f"port{number}", "up")


@contextlib.contextmanager
def network(hosts: int) -> Iterator[Network]:
    """Create a network of hosts."""
    if os.geteuid() != 0:
        pytest.skip("no hosts in namespaces: needs root")
    if not all(shutil.which(name) for name in ("ip", "unshare", "nsenter")):
        pytest.skip("no hosts in namespaces: needs iproute2 and util-linux")
    with contextlib.ExitStack() as stack:
        switch = Host(stack.enter_context(_namespace()), f"{SUBNET}.1")
        switch.run("ip", "link", "add", "bridge", "type", "bridge")
        switch.run("ip", "address", "add", f"{switch.address}/24", "dev", "bridge")
        switch.run("ip", "link", "set", "bridge", "up")
        made = []
        for number in range(hosts):
            host = Host(stack.enter_context(_namespace()), f"{SUBNET}.{number + 2}")
            port = f"port{number}"
            peer = ["peer", "name", "eth0", "netns", str(host.pid)]
            switch.run("ip", "link", "add", port, "type", "veth", *peer)
            switch.run("ip", "link", "set", port, "master", "bridge", "up")
            host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
            made.append(host)
        yield Network(switch, made)


@contextlib.contextmanager
def _namespace() -> Iterator[int]:
    ours = Path("/proc/self/ns/net").readlink()
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    try:
        wait_until(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != ours, "a namespace")
        subprocess.run(["nsenter", "-t", str(holder.pid), "-n", "ip", "link", "set", "lo", "up"])
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()
