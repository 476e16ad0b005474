"""The aggregator process: it judges for one gateway at a time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from shared.wire.messages import GatewayHello
from tests.support.judge import FakeGateway, judging, live, plugin_config


async def test_what_a_dead_gateway_still_asked_counts_no_more(tmp_path: Path) -> None:
    """Its frames may lie in the socket behind its successor's hello, which numbers frames anew."""
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
