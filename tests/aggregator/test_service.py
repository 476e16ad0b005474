"""The aggregator process serves one gateway at a time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from aggregator import service
from aggregator.sinks.delivery import Effects
from shared.config.generation import with_transport_keys
from shared.config.parts import Part
from shared.config.service import Config
from shared.wire.messages import Forget, GatewayHello, Settled
from tests.support.judge import (
    SESSION,
    FakeGateway,
    aggregating,
    judging,
    live,
    plugin_config,
)
from tests.support.plugins import Closing
from tests.support.waiting import until


async def test_requests_of_a_dead_gateway_are_dropped(tmp_path: Path) -> None:
    """They may follow its successor's hello in the socket, and both number frames from 1."""
    async with judging(plugin_config({}), tmp_path) as dead:
        await dead.open()
        dead.judge(1, live(errors=(32,)), b"first")
        await dead.verdict()
        successor = FakeGateway(dead.address, "successor", dead.prepare)
        try:
            await successor.hello()
            resumed = await successor.receive()
            assert [judged.seq for judged in resumed.history.judged] == [1]
            dead.send(GatewayHello("test"))
            dead.judge(2, live(), b"of the dead")
            await asyncio.sleep(0.1)
            successor.judge(2, live(errors=(31,)), b"of the living")
            verdict = await successor.verdict()
        finally:
            successor.close()
    assert (verdict.seq, verdict.accepted) == (2, False)
    assert json.loads(verdict.status)["body"]["errors"] == [31]


async def test_an_error_while_reporting_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the gateway would get no more reports of settled sessions and of sinks."""

    def fail(_: Effects) -> Settled:
        raise RuntimeError("a fault")

    monkeypatch.setattr(service, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(service, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(Effects, "settled", fail)
    transport = {"aggregator": f"ipc://{tmp_path}/a", "runtimeDirectory": str(tmp_path)}
    config = plugin_config({"FileLogger": {"path": str(tmp_path / "LOGS")}}, TRANSPORT=transport)
    with pytest.raises(RuntimeError, match="a fault"):
        await asyncio.wait_for(service.Aggregator(with_transport_keys(config)).run(), 60)


class Edited:
    """A source whose configuration changes with each reload."""

    def __init__(self, *configs: Config) -> None:
        self._parts = [Part("aggregator", str(n), config) for n, config in enumerate(configs)]
        self.part = self._parts.pop(0)

    def reload(self) -> Part:
        self.part = self._parts.pop(0)
        return self.part


async def test_plugins_of_an_earlier_configuration_are_closed_with_their_last_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This closes their HTTP client, for example. At shutdown every plugin has been closed once."""
    monkeypatch.setattr(service, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(Closing, "made", 0)
    monkeypatch.setattr(Closing, "closed", [])
    config = plugin_config({"tests.support.plugins:Closing": None})
    source = Edited(config, config, config)
    async with aggregating(config, tmp_path, source) as (aggregator, gateway):
        await gateway.open()
        for _ in range(2):
            aggregator.reload()
        await until(lambda: Closing.closed == [2])
        gateway.send(Forget(gateway.incarnation, SESSION))
        await until(lambda: Closing.closed == [2, 1])
    assert Closing.closed == [2, 1, 3]
