"""Questions of plugins to external services: frames wait, answers are logged, errors refuse."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from aggregator.sessions import JudgedSessions
from aggregator.sinks.delivery import Effects
from shared.codes import Code
from shared.process.accounts import Accounts
from shared.wire.messages import Judge, Message, Open, Opened, Resumed, encode
from tests.support.judge import SESSION, judging, live, plugin_config, shot
from tests.support.log import logged
from tests.support.plugins import Oracle, Outside

ORACLE = "tests.support.plugins:Oracle"
OPEN = Open("", SESSION, 1000.0, 7, bytes(32))


def config(**args: Any) -> Any:
    return plugin_config({ORACLE: args})


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path)


def asking(folder: Path) -> Any:
    """A configuration with a plugin whose questions wait for the event ``outside``."""
    return config(folder=str(folder), patience=60.0)


async def test_the_answer_decides_and_is_logged(tmp_path: Path) -> None:
    """The verdict contains the answer, and the gateway logs it with the estimate."""
    async with judging(config(answer="no"), tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        verdict = await gateway.verdict()
        assert verdict.answers == (b"no",)
        assert not verdict.final
        assert json.loads(verdict.status)["body"]["errors"] == [90]
        assert [judged.answers for judged in await gateway.log()] == [(b"no",)]


@pytest.mark.parametrize(
    "args",
    [{"answer": "raise"}, {"seconds": 30.0, "patience": 0.05}, {"answer": "x" * 20_000}],
    ids=["raises", "too late", "too long"],
)
async def test_a_frame_without_an_answer_is_refused(tmp_path: Path, args: dict[str, Any]) -> None:
    """It gets code 34, which is not final, and the next frame asks again."""
    async with judging(config(**args), tmp_path) as gateway:
        await gateway.open()
        with logged("aggregator") as lines:
            for seq in (1, 2):
                gateway.judge(seq, live())
                verdict = await gateway.verdict()
                assert (verdict.final, verdict.accepted, verdict.answers) == (False, False, (None,))
                assert json.loads(verdict.status)["body"]["errors"] == [Code.EXTERNAL_FAILED]
    assert [(line["session"], line["seq"]) for line in lines] == [(SESSION, 1), (SESSION, 2)]


async def test_closing_does_not_wait_for_an_answer(tmp_path: Path, outside: Outside) -> None:
    """A session that ends while a question is open fails, and a late answer changes nothing."""
    async with judging(asking(tmp_path), tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        gateway.end()
        verdict = await gateway.verdict()
        assert (verdict.seq, verdict.final, verdict.accepted) == (0, True, False)
        assert json.loads(verdict.result or "")["body"]["errors"] == [Code.SESSION_FAILED]
        outside.open()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gateway.receive(), 0.3)


async def test_a_restarted_gateway_does_not_wait(tmp_path: Path, outside: Outside) -> None:
    """Its log has the frame without an answer, and the next frame is judged as usual."""
    async with judging(asking(tmp_path), tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        gateway.send(Judge(gateway.incarnation, SESSION, 1, 1001.0, encode(live()), b""))
        log = await gateway.log_while_asking()
        assert [judged.answers for judged in log] == [(None,)]
        outside.open()
        gateway.judge(2, live())
        verdict = await gateway.verdict()
        assert (verdict.seq, verdict.accepted) == (2, True)


async def test_a_dead_gateway_gets_no_answer(tmp_path: Path) -> None:
    """Its successor gets the frame in the session's log; nothing is sent to the dead gateway."""
    asked = asking(tmp_path)
    sent: list[tuple[bytes, Message]] = []
    accounts = Accounts("aggregator")
    sessions = JudgedSessions(
        asked, Registry(asked), Effects([], 0), accounts, lambda *message: sent.append(message)
    )
    sessions.open(b"dead", OPEN)
    sessions.judge(b"dead", Judge("", SESSION, 1, 1001.0, encode(live()), shot=shot(1)))
    sessions.hand_over(b"successor")
    assert [(peer, type(message)) for peer, message in sent] == [
        (b"dead", Opened),
        (b"successor", Resumed),
    ]
    resumed = sent[-1][1]
    assert isinstance(resumed, Resumed)
    assert resumed.history is not None
    assert [judged.answers for judged in resumed.history.judged] == [(None,)]


async def test_a_slow_external_service_delays_only_its_own_session(
    tmp_path: Path, outside: Outside
) -> None:
    """Other sessions get their answers meanwhile."""
    other = "1" * 32
    async with judging(asking(tmp_path), tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        gateway.send(Open(gateway.incarnation, other, 1000.0, 7, bytes(32)))
        opened = await gateway.receive()
        assert isinstance(opened, Opened)
        blurred = encode(live(errors=(3,)))
        gateway.send(Judge(gateway.incarnation, other, 1, 1001.0, blurred, b""))
        first = await gateway.verdict()
        outside.open()
        second = await gateway.verdict()
        assert (first.session, second.session) == (other, SESSION)


def test_a_replay_asks_nothing() -> None:
    """It uses the logged answers, and refuses a frame without one instead of asking again."""
    before = Oracle.asked

    def replay(answers: tuple[bytes | None, ...]) -> Outcome:
        session = JudgedSession(OPEN, Registry(config()).plugins(), config().LIVENESS)
        outcome = session.fold(1, 1001.0, live(), None, replay=True, shot=shot(1), answers=answers)
        assert isinstance(outcome, Outcome)
        return outcome

    assert replay((b"yes",)).accepted
    assert replay((b"no",)).errors == (90,)
    assert replay(()).errors == (Code.EXTERNAL_FAILED,)
    assert Oracle.asked == before
