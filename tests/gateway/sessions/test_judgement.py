"""What the aggregator is asked: with which picture, and again where no answer came."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import zmq
from msgspec.structs import replace

from gateway.ledger import Ledger
from gateway.metrics import STEPS
from gateway.sessions.judgement import ASK_AGAIN_SECONDS, JudgementLink
from gateway.sessions.session import FramePictures, PendingFrame, Session
from gateway.sessions.sessions import Sessions
from gateway.web.limits import TokenBucket
from shared.config.service import Config, TransportKeysSection
from shared.frame.estimation import Estimate, Profile
from shared.frame.intake import Header
from shared.wire.curve import completed, own_pair
from shared.wire.lines import AGGREGATOR
from shared.wire.messages import (
    Forget,
    GatewayHello,
    Judge,
    Judgement,
    Open,
    Opened,
    Settled,
    decode,
    encode,
)
from shared.wire.records import END, Judged
from shared.wire.transport import address_of
from tests.support.judge import shot
from tests.support.stamp import stamped_jpeg

HEADER = Header("jpeg", 640, 480)

KEYS = completed(TransportKeysSection())
NOBODY: dict[str, Any] = {}
USER_PLUGIN = {"tests.support.plugins:Anything": {"isEnabled": 1}}
FILE_LOGGER = {"FileLogger": {"isEnabled": 1}}
VIDEO_REDIS = {"VideoRedis": {"isEnabled": 1}}


def config(directory: Path, plugins: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "TRANSPORT": {
                "aggregator": f"ipc://{directory}/a",
                "runtimeDirectory": str(directory),
                "KEYS": KEYS,
            },
            "MIDDLEWARES": {"WS": plugins},
        }
    )


def listening(config: Config) -> zmq.Socket[bytes]:
    """Open the aggregator's end of its line; it takes any client that knows its public key."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    _, secret = own_pair(KEYS, "aggregator")
    socket.curve_server, socket.curve_secretkey = True, secret
    socket.setsockopt(zmq.RCVTIMEO, 5000)
    socket.bind(address_of(AGGREGATOR, config))
    return socket


@pytest.mark.parametrize("renewed", [False, True])
@pytest.mark.parametrize(
    ("plugins", "passed", "sent"),
    [
        (NOBODY, False, False),
        (NOBODY, True, False),
        (USER_PLUGIN, False, True),
        (USER_PLUGIN, True, False),
        (VIDEO_REDIS, False, True),
        (VIDEO_REDIS, True, False),
        (FILE_LOGGER, False, True),
        (FILE_LOGGER, True, True),
    ],
)
async def test_what_the_client_sent_goes_along_where_a_plugin_looks_at_it(
    tmp_path: Path, plugins: dict[str, Any], passed: bool, sent: bool, renewed: bool
) -> None:
    """The JPEG of a frame that passed always does, also after a reload."""
    wanted = config(tmp_path, plugins)
    aggregator = listening(wanted)
    link = JudgementLink(
        config(tmp_path, NOBODY) if renewed else wanted, list, lambda *_: None, Ledger(STEPS)
    )
    if renewed:
        link.renew(wanted)
    now = time.monotonic()
    frame = PendingFrame(7, b"picture", HEADER, now, now + 60)
    frame.estimate, frame.shot = encode(Estimate(640, 480)), shot(7) if passed else None
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


async def test_a_lost_question_is_asked_again(tmp_path: Path) -> None:
    """Whichever it was; not at once, and not when it is answered."""
    settings = config(tmp_path, FILE_LOGGER)
    aggregator = listening(settings)
    sessions = Sessions(settings)
    link = JudgementLink(settings, sessions.all, sessions.receive, Ledger(STEPS))
    sessions.ask_open, sessions.ask_close = link.open, link.close_session
    sessions.ask_commit = link.commit
    sessions.frames.ask_verdict, sessions.frames.submit = link.judge, lambda _: None
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")

    def asked(*, later: bool = False) -> list[str]:
        """What was asked since the last time; ``later`` when every question has got old."""
        session.asked -= ASK_AGAIN_SECONDS + 1 if later else 0
        link.beat()
        link.beat()
        link.forget(session)
        names = []
        while not isinstance(message := decode(aggregator.recv_multipart()[1]), Forget):
            if not isinstance(message, GatewayHello):
                names.append(type(message).__name__)
        return names

    assert asked() == ["Open"]
    assert asked(later=True) == ["Open"]

    sessions.receive(Opened(session.id, Profile.PASSIVE))
    sessions.frames.accept(session, stamped_jpeg(1, 1))
    assert asked(later=True) == []  # a worker is asked, not the aggregator
    frame, session.waiting = session.waiting, None
    assert frame is not None
    session.active = frame
    sessions.frames.estimated(session, frame, encode(Estimate(640, 480)))
    assert asked() == ["Judge"]
    assert asked(later=True) == ["Judge"]

    verdict = Judgement(session.id, 1, Profile.PASSIVE, "{}")
    sessions.receive(verdict)
    sessions.receive(verdict)
    assert asked(later=True) == []
    assert len(session.log) == 1

    sessions.end(session, "test")
    assert asked() == ["Close"]
    assert asked(later=True) == ["Close"]

    session.opened = replace(session.opened, commits=True)
    sessions.receive(replace(verdict, seq=0, final=True, result="{}"))
    assert asked() == ["Commit"]
    assert asked(later=True) == ["Commit"]
    sessions.receive(Settled(((session.id, END),), ()))
    assert asked(later=True) == []
    link.close()
    aggregator.close(linger=0)


async def test_a_new_aggregator_gets_the_very_best_shot_of_the_first_time(tmp_path: Path) -> None:
    """It is not encoded again; other pictures come along as far as they are still kept."""
    settings = config(tmp_path, NOBODY)
    aggregator = listening(settings)
    link = JudgementLink(settings, list, lambda *_: None, Ledger(STEPS))
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    session = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0)
    estimate = encode(Estimate(640, 480))
    session.log = [Judged(seq, float(seq), estimate, (b"yes",)) for seq in (1, 2, 3, 4)]
    session.kept = shot(2, b"best")
    session.unsettled = {3: FramePictures(b"sent", None), 4: FramePictures(None, shot(4, b"later"))}
    link.replay(session)
    asked = []
    while len(asked) < 4:
        message = decode(aggregator.recv_multipart()[1])
        if isinstance(message, Judge):
            asked.append((message.seq, message.received, message.shot))
            assert (message.replay, message.answers) == (True, (b"yes",))
    assert asked == [
        (1, None, None),
        (2, None, session.kept),
        (3, b"sent", None),
        (4, None, shot(4, b"later")),
    ]
    link.close()
    aggregator.close(linger=0)
