"""A slow or lossy line between one host of a network and the others, in both directions."""

from __future__ import annotations

from dataclasses import dataclass

from tests.machines.network import Host, Network

QUEUE_MS = 1000
"""Delay of a full queue in milliseconds; modems and base stations buffer about a second."""
BURST_BYTES = 3200
"""Two packets."""


@dataclass(frozen=True)
class LineKind:
    """The properties of a line.

    Attributes:
        kbit: kilobits a second in each direction.
        loss: share of the packets that are lost, 0 to 1.
    """

    kbit: int
    loss: float = 0.0

    def __str__(self) -> str:
        lossy = f" {self.loss:.0%} loss" if self.loss else ""
        return f"{self.kbit} kbit/s{lossy}"


def slow_down(network: Network, number: int, kind: LineKind) -> None:
    """Give a host's line these properties."""
    _shape(network.hosts[number], "eth0", kind)
    _shape(network.switch, f"port{number}", kind)


def _shape(host: Host, device: str, kind: LineKind) -> None:
    """Shape the packets that a host sends to a device.

    netem is not in every kernel, so losses are a class of their own that sends no packet: a filter
    in classic BPF puts packets there for which the kernel's random number is below the share.
    """
    rate = f"{kind.kbit}kbit"
    host.run("ip", "link", "set", "dev", device, "gso_max_segs", "1")  # lose packets, not bundles
    host.run("tc", "qdisc", "replace", "dev", device, "root", "pfifo")  # remove earlier rules
    if not kind.loss:
        bucket = ["tbf", "rate", rate, "burst", str(BURST_BYTES), "latency", f"{QUEUE_MS}ms"]
        host.run("tc", "qdisc", "replace", "dev", device, "root", *bucket)
        return
    device_root = ["dev", device, "parent", "1:"]
    host.run("tc", "qdisc", "replace", "dev", device, "root", "handle", "1:", "htb", "default", "1")
    for number in ("1:1", "1:2"):
        host.run("tc", "class", "add", *device_root, "classid", number, "htb", "rate", rate)
    queue = str(kind.kbit * QUEUE_MS // 8)
    host.run("tc", "qdisc", "add", "dev", device, "parent", "1:1", "bfifo", "limit", queue)
    host.run("tc", "qdisc", "add", "dev", device, "parent", "1:2", "blackhole")
    below = int(kind.loss * 2**32)
    # ld random; jlt below, lost, kept; ret class of the filter; ret none
    program = f"4,32 0 0 4294963256,53 0 1 {below},6 0 0 0,6 0 0 4294967295"
    host.run("tc", "filter", "add", *device_root, "bpf", "bytecode", program, "flowid", "1:2")
