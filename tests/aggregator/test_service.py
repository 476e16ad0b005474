"""The aggregator process: one session's fault is nobody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import pytest

from aggregator.verdict import VerdictWriter
from shared.messages import Opened, Resume
from tests.support.judge import DIGEST, SESSION, judging, plugin_config


async def test_a_fault_in_an_abandoned_session_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session whose end raises is forgotten all the same, and the aggregator goes on."""

    def broken(*_: Any) -> NoReturn:
        raise RuntimeError("no verdict can be written")

    monkeypatch.setattr(VerdictWriter, "result", broken)
    config = plugin_config({}, LIMITS={"sessionSeconds": 0.1, "resumeSeconds": 0.1})
    async with judging(config, tmp_path) as gateway:
        await gateway.open()
        known = True
        while known:
            await asyncio.sleep(0.5)  # asking keeps a session for a while
            gateway.send(Resume(gateway.incarnation, SESSION, DIGEST))
            known = (await gateway.receive())[0].found
        assert isinstance(await gateway.open(), Opened)
