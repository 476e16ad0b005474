"""The sessions of an aggregator: an error in one session does not affect the others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from aggregator.plugins.registry import Registry
from aggregator.sessions import JudgedSessions
from aggregator.sinks.delivery import Effects
from aggregator.verdict import VerdictWriter
from shared.codes import Code
from shared.config.luna_pass import LivenessSection
from shared.frame.estimation import Quality
from shared.process.accounts import Accounts
from shared.session_log import read_session
from shared.wire.messages import (
    Close,
    Commit,
    Forget,
    Judge,
    Judgement,
    Message,
    Missing,
    Open,
    Opened,
    Resume,
    Settled,
    decode,
    encode,
)
from shared.wire.records import END
from tests.support.clock import SettableClock
from tests.support.events import Recorder
from tests.support.judge import (
    DIGEST,
    KEY,
    SESSION,
    FakeGateway,
    judging,
    live,
    plugin_config,
    shot,
)


@pytest.mark.parametrize(
    ("plugins", "warnings"), [({}, 0), ({"FileLogger": None}, 0), ({"AggregateLiveness": None}, 1)]
)
async def test_a_replay_by_other_plugins_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, plugins: dict[str, Any], warnings: int
) -> None:
    """It is logged once, and only if they judge differently.

    The session then keeps the new plugins.
    """
    if "FileLogger" in plugins:
        plugins = {"FileLogger": {"path": str(tmp_path / "LOGS")}}
    names: list[str] = []
    async with judging(plugin_config({}), tmp_path) as gateway:
        names.append((await gateway.open()).plugins)
    for _ in range(2):
        async with judging(plugin_config(plugins), tmp_path) as gateway:
            replay = Open(
                gateway.incarnation, SESSION, 1000.0, 7, DIGEST, replay=True, plugins=names[-1]
            )
            gateway.send(replay)
            names.append((await gateway.receive()).plugins)
            gateway.send(Resume(gateway.incarnation, SESSION, DIGEST))
            resumed = await gateway.receive()
            handed_over = decode(resumed.history.opened)
            assert isinstance(handed_over, Open)
            assert handed_over.plugins == names[-1]  # to a gateway without this session
    assert caplog.text.count("session replayed with different plugins") == warnings
    assert (names[0] != names[1]) == bool(warnings)
    assert names[1] == names[2]


def test_flags_use_the_thresholds_in_force() -> None:
    """A status calls an image too dark by the thresholds that the worker uses now."""
    said: list[Message] = []
    config = plugin_config({}, LUNA_PASS={"env": "development", "JWT": {"key": KEY}})
    accounts = Accounts("aggregator")
    sessions = JudgedSessions(
        config, Registry(config), Effects([], 0), accounts, lambda _, message: said.append(message)
    )
    strict = {"THRESHOLDS": {"dark": 0.8}}
    renewed = config.model_copy(update={"LIVENESS": LivenessSection.model_validate(strict)})
    sessions.open(b"", Open("", SESSION, 1000.0, 7, DIGEST))
    for seq, now in enumerate((config, renewed), 1):
        sessions.renew(now, Registry(now))
        dim = live(errors=(Code.TOO_DARK,), quality=Quality(1, 1, 0.7, 1, 1))
        sessions.judge(b"", Judge("", SESSION, seq, 1000.0 + seq, encode(dim)))
    verdicts = [message for message in said if isinstance(message, Judgement)]
    details = [json.loads(verdict.status)["body"]["details"] for verdict in verdicts]
    assert [each["quality"]["isDark"] for each in details] == [False, True]


def test_a_repeated_answer_is_the_same() -> None:
    """This includes ``low_liveness``, by which the gateway counts an address's refused sessions."""
    said: list[Message] = []
    config = plugin_config({})
    accounts = Accounts("aggregator")
    sessions = JudgedSessions(
        config, Registry(config), Effects([], 0), accounts, lambda _, message: said.append(message)
    )
    sessions.open(b"", Open("", SESSION, 1000.0, 7, DIGEST))
    refused = live(0.1, errors=(Code.LOW_LIVENESS,))
    for _ in range(2):
        sessions.judge(b"", Judge("", SESSION, 1, 1001.0, encode(refused)))
    first, second = (message for message in said if isinstance(message, Judgement))
    assert first.low_liveness
    assert second == first


ON = {"isEnabled": True}


@pytest.mark.parametrize(
    ("others", "best_scores"),
    [
        ({}, [0.8, 0.8, 0.9]),
        ({"Bestshot": {"isEnabled": False}}, [None, None, None]),
        ({"VideoRedis": ON}, [None, None, None]),
        ({"tests.support.plugins:Oracle": ON}, [None, None, None]),
    ],
)
def test_the_best_score_is_sent_if_no_other_image_is_used(
    others: dict[str, Any], best_scores: list[float | None]
) -> None:
    """With it the gateway does not encode frames that cannot become the best shot."""
    said: list[Message] = []
    plugins = {"Bestshot": ON, "AggregateLiveness": {**ON, "args": {"framesCount": 9}}, **others}
    config = plugin_config({}, MIDDLEWARES={"WS": plugins})
    accounts = Accounts("aggregator")
    sessions = JudgedSessions(
        config, Registry(config), Effects([], 0), accounts, lambda _, message: said.append(message)
    )
    sessions.open(b"", Open("", SESSION, 1000.0, 7, DIGEST))
    for seq, score in enumerate((0.8, 0.7, 0.9), 1):
        frame = Judge("", SESSION, seq, 1000.0 + seq, encode(live(score)), shot=shot(seq))
        sessions.judge(b"", frame)
    judgements = [message for message in said if isinstance(message, Judgement)]
    assert [judgement.best_score for judgement in judgements] == best_scores


def test_an_abandoned_session_leaves_no_mark() -> None:
    """With a session store its end is neither committed nor settled."""
    clock = SettableClock()
    config = plugin_config({})
    effects = Effects([Recorder()], 10**7)
    sessions = JudgedSessions(
        config,
        Registry(config),
        effects,
        Accounts("aggregator"),
        lambda _, message: None,
        clock=clock,
    )
    for number, accepted in enumerate((True, False)):
        session = f"{number:032x}"
        frame = live() if accepted else live(0.1, errors=(Code.LOW_LIVENESS,))
        shown = shot(1) if accepted else None
        sessions.open(b"", Open("", session, 1000.0, 7, DIGEST, commits=True))
        sessions.judge(b"", Judge("", session, 1, 1001.0, encode(frame), b"", shot=shown))
    clock.advance(1e6)
    sessions.sweep()
    effects.close()
    effects.settled()
    assert not effects._marks
    assert not effects._reported


async def test_an_error_in_an_abandoned_session_affects_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session whose end raises is removed, and the aggregator continues."""

    def broken(*_: Any) -> NoReturn:
        raise RuntimeError("no verdict can be written")

    monkeypatch.setattr(VerdictWriter, "result", broken)
    config = plugin_config({}, LIMITS={"sessionSeconds": 0.1, "resumeSeconds": 0.1})
    async with judging(config, tmp_path) as gateway:
        await gateway.open()
        known = True
        while known:
            await asyncio.sleep(0.5)  # a request keeps the session for a while
            gateway.send(Resume(gateway.incarnation, SESSION, DIGEST))
            known = (await gateway.receive()).history is not None
        assert isinstance(await gateway.open(), Opened)


async def test_a_question_about_an_unknown_session_is_answered(tmp_path: Path) -> None:
    """So the gateway replays the session, and its client gets a verdict."""
    async with judging(plugin_config({}), tmp_path) as gateway:
        gateway.judge(1, live(errors=(32,)))
        gateway.end()
        assert [await gateway.receive() for _ in range(2)] == [Missing(SESSION)] * 2
        await gateway.open()
        gateway.end()
        assert (await gateway.verdict()).final


async def test_lost_frames_are_missed(tmp_path: Path) -> None:
    """No frame is judged, and no session ended, without the judged frames before it."""
    refused = encode(live(errors=(32,)))
    async with judging(plugin_config({}), tmp_path) as gateway:
        third = Judge(gateway.incarnation, SESSION, 3, 1003.0, refused, after=2)
        await gateway.open()
        gateway.judge(1, live(errors=(32,)))
        assert (await gateway.verdict()).seq == 1
        gateway.send(third)
        gateway.send(Close(gateway.incarnation, SESSION, 2000.0, "test", after=2))
        assert [await gateway.receive() for _ in range(2)] == [Missing(SESSION)] * 2
        gateway.send(Judge(gateway.incarnation, SESSION, 2, 1002.0, refused, replay=True, after=1))
        gateway.send(third)
        assert (await gateway.verdict()).seq == 3


def _ended(folder: Path) -> bool:
    return read_session(folder).verdict is not None


async def _until_written(gateway: FakeGateway, mark: int) -> None:
    """Wait until the side effects of the session are written up to a mark."""
    while True:
        message = await gateway.receive()
        if isinstance(message, Settled) and (SESSION, mark) in message.marks:
            return


def _commits(gateway: FakeGateway) -> Open:
    return Open(gateway.incarnation, SESSION, 1000.0, 7, DIGEST, commits=True)


async def test_an_end_waits_for_its_commit(tmp_path: Path) -> None:
    """If the gateway commits verdicts, an end is reported once, and only after its commit."""
    config = plugin_config({"FileLogger": {"path": str(tmp_path / "LOGS")}})
    async with judging(config, tmp_path) as gateway:
        gateway.send(_commits(gateway))
        await gateway.receive()
        gateway.judge(1, live())
        assert (await gateway.verdict()).final
        await _until_written(gateway, 1)
        gateway.send(Forget(gateway.incarnation, "1" * 32))  # a commit of another session
        gateway.send(Commit(gateway.incarnation, "1" * 32))
        await asyncio.sleep(0.3)
        assert not _ended(tmp_path / "LOGS" / SESSION)
        for _ in range(2):
            gateway.send(Commit(gateway.incarnation, SESSION))
        await _until_written(gateway, END)
    assert _ended(tmp_path / "LOGS" / SESSION)


async def test_a_forgotten_end_is_never_reported(tmp_path: Path) -> None:
    """The verdict was not released because the session continued at another gateway."""
    config = plugin_config({"FileLogger": {"path": str(tmp_path / "LOGS")}})
    async with judging(config, tmp_path) as gateway:
        gateway.send(_commits(gateway))
        await gateway.receive()
        gateway.judge(1, live())
        assert (await gateway.verdict()).final
        await _until_written(gateway, 1)
        gateway.send(Forget(gateway.incarnation, SESSION))
        gateway.send(Commit(gateway.incarnation, SESSION))
    assert not _ended(tmp_path / "LOGS" / SESSION)


async def test_an_uncommitted_end_survives_a_gateway_restart(tmp_path: Path) -> None:
    """A session with an unreported end is retained as long as one without a verdict."""
    config = plugin_config(
        {"FileLogger": {"path": str(tmp_path / "LOGS")}},
        LIMITS={"sessionSeconds": 30.0, "resumeSeconds": 0.1},
    )
    async with judging(config, tmp_path) as gateway:
        gateway.send(_commits(gateway))
        await gateway.receive()
        gateway.judge(1, live())
        assert (await gateway.verdict()).final
        await asyncio.sleep(2.5)  # two sweeps
        gateway.send(Commit(gateway.incarnation, SESSION))
        await _until_written(gateway, END)
    assert _ended(tmp_path / "LOGS" / SESSION)
