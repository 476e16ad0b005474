"""What the gateway sends to the aggregator about a frame, and with which image."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import Ledger
from gateway.limits.buckets import TokenBucket
from gateway.metrics import STEPS
from gateway.sessions.judgement import JudgementLink
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.frame.estimation import Estimate
from shared.frame.intake import Header
from shared.wire.messages import Judge, Open, decode, encode
from tests.support.aggregator_line import (
    FILE_LOGGER,
    NO_PLUGINS,
    USER_PLUGIN,
    VIDEO_REDIS,
    config,
    listening,
)
from tests.support.judge import shot

HEADER = Header("jpeg", 640, 480)


@pytest.mark.parametrize("reload", ["none", "turns it on", "turns it off"])
@pytest.mark.parametrize(
    ("plugins", "passed", "sent"),
    [
        (NO_PLUGINS, False, False),
        (NO_PLUGINS, True, False),
        (USER_PLUGIN, False, True),
        (USER_PLUGIN, True, False),
        (VIDEO_REDIS, False, True),
        (VIDEO_REDIS, True, False),
        (FILE_LOGGER, False, True),
        (FILE_LOGGER, True, True),
    ],
)
async def test_the_received_bytes_are_sent_if_a_plugin_needs_them(
    tmp_path: Path, plugins: dict[str, Any], passed: bool, sent: bool, reload: str
) -> None:
    """The JPEG of a passed frame is always sent. A reload may turn a plugin on.

    If it turns a plugin off, running sessions still have that plugin, which needs the bytes.
    """
    wanted, without = config(tmp_path, plugins), config(tmp_path, NO_PLUGINS)
    aggregator = listening(wanted)
    link = JudgementLink(without if reload == "turns it on" else wanted, Ledger(STEPS))
    if reload != "none":
        link.renew(wanted if reload == "turns it on" else without)
    now = time.monotonic()
    frame = PendingFrame(7, b"picture", HEADER, now, now + 60)
    frame.estimate, frame.shot = encode(Estimate(640, 480)), shot(7) if passed else None
    frame.passed = passed
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    link.judge(Session(opened.session, opened, "", TokenBucket(9, 9), 0.0), frame)
    assert await asyncio.to_thread(aggregator.poll, 5000)
    _, message = aggregator.recv_multipart()
    assert isinstance(judge := decode(message), Judge)
    assert (judge.seq, judge.estimate) == (7, frame.estimate)
    assert judge.received == (b"picture" if sent else None)
    assert judge.shot == frame.shot
    link.close()
    aggregator.close(linger=0)
