"""What the aggregator gets to see with an estimate."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import zmq

from gateway.judgement import JudgementLink
from gateway.ledger import Ledger
from gateway.limits import TokenBucket
from gateway.metrics import STEPS
from gateway.session import PendingFrame, Session
from shared.config import Config
from shared.estimation import Estimate
from shared.messages import Judge, Open, decode, encode
from shared.transport import aggregator_address

NOBODY: dict[str, Any] = {}
USER_PLUGIN = {"tests.support.plugins:Anything": {"isEnabled": 1}}
FILE_LOGGER = {"FileLogger": {"isEnabled": 1}}


def config(directory: Path, plugins: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "TRANSPORT": {
                "aggregator": f"ipc://{directory}/a",
                "runtimeDirectory": str(directory),
            },
            "MIDDLEWARES": {"WS": plugins},
        }
    )


@pytest.mark.parametrize("renewed", [False, True])
@pytest.mark.parametrize(
    ("plugins", "passed", "sent"),
    [
        (NOBODY, False, False),
        (NOBODY, True, True),
        (USER_PLUGIN, False, True),
        (FILE_LOGGER, False, True),
    ],
)
async def test_a_picture_goes_along_where_somebody_looks_at_it(
    tmp_path: Path, plugins: dict[str, Any], passed: bool, sent: bool, renewed: bool
) -> None:
    """One that passed may become the best shot; a plugin may look at any, also after a reload."""
    wanted = config(tmp_path, plugins)
    aggregator: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    aggregator.bind(aggregator_address(wanted))
    link = JudgementLink(
        config(tmp_path, NOBODY) if renewed else wanted, list, lambda *_: None, Ledger(STEPS)
    )
    if renewed:
        link.renew(wanted)
    now = time.monotonic()
    frame = PendingFrame(7, b"picture", None, now, now + 60)
    frame.estimate, frame.passed = encode(Estimate(640, 480)), passed
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    link.judge(Session(opened.session, opened, "", TokenBucket(9, 9), 0.0), frame)
    assert await asyncio.to_thread(aggregator.poll, 5000)
    _, message = aggregator.recv_multipart()
    assert isinstance(judge := decode(message), Judge)
    assert (judge.seq, judge.estimate) == (7, frame.estimate)
    assert judge.frame == (b"picture" if sent else None)
    link.close()
    aggregator.close(linger=0)
