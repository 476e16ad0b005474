"""How ended sessions are counted, and what is recorded about their judging."""

from __future__ import annotations

import pytest

from gateway import metrics
from gateway.sessions.sessions import Sessions
from gateway.state.record import CLIENT_LEFT
from gateway.state.session import Session
from shared.config.service import Config
from shared.frame.estimation import Profile
from shared.wire.messages import Judgement, Opened, Settled, SinkHealth
from shared.wire.protocol import Codec, Command, ProtocolError
from tests.support.quiet_links import HoldingHandover, quiet_sessions
from tests.support.store_cell import RESULT, Listener, have_estimated


def made(**limits: int) -> Sessions:
    return quiet_sessions(Config.model_validate({"LIMITS": limits}))


@pytest.fixture
def sessions() -> Sessions:
    return made()


def outcomes() -> dict[str, int]:
    return metrics.totals(metrics.SESSIONS, "outcome")


ENDINGS = {
    "says goodbye": (CLIENT_LEFT, True, 0, False, "left"),
    "does not come back": ("client gone", False, 0, False, "left"),
    "is away for all its time": ("session too long", False, 0, False, "left"),
    "stays too long": ("session too long", True, 0, False, "refused"),
    "is judged just before": (CLIENT_LEFT, True, 7, False, "refused"),
    "is accepted just before": (CLIENT_LEFT, False, 0, True, "accepted"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_client_that_leaves_before_a_verdict_is_not_refused(
    sessions: Sessions, ending: str
) -> None:
    """It counts as ``left``. A judged session counts as judged, even if the client then leaves."""
    reason, stays, seq, accepted, expected = ENDINGS[ending]
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    if stays:
        session.attach(Listener(), max_resumes=0)
    before = outcomes()
    sessions.end(session, reason)
    verdict = Judgement(
        session.id, seq, Profile.PASSIVE, "", final=True, accepted=accepted, result=RESULT
    )
    for _ in range(2):  # a repetition does not count
        sessions.receive(verdict)
    grown = {name: count - before[name] for name, count in outcomes().items()}
    assert grown == {"accepted": 0, "refused": 0, "left": 0, expected: 1}


async def test_a_repeated_judgement_counts_once() -> None:
    """Its codes, its low liveness, and with a session store its write."""
    sessions, store = made(), HoldingHandover()
    sessions.handover = store
    session = begin(sessions, "192.0.2.1")
    sessions.receive(Opened(session.id, Profile.PASSIVE))
    seq = have_estimated(sessions, session)
    status = Codec.encode(Command.STATUS, {"seq": seq}, {"isOk": False, "errors": [32]})
    judgement = Judgement(session.id, seq, Profile.PASSIVE, status, final=True, result=RESULT)
    sessions.receive(judgement)
    store.write()
    assert session.released
    sessions.receive(judgement)
    assert (session.codes, store.waiting) == ({32: 1}, None)


@pytest.mark.parametrize("required", [False, True])
async def test_required_audit_records_must_be_writable(required: bool) -> None:
    """Otherwise sessions are refused, and so are those before the aggregator's first report."""
    plugin = {"isEnabled": True, "args": {"required": required}}
    sessions = quiet_sessions(Config.model_validate({"MIDDLEWARES": {"WS": {"Audit": plugin}}}))

    def refused() -> str:
        try:
            sessions.begin("192.0.2.1", mirrored=False, client="null")
        except ProtocolError as error:
            return error.code
        return ""

    expected = "service.unavailable" if required else ""
    assert refused() == expected
    for disabled, code in ((False, ""), (True, expected), (False, "")):
        sessions.receive(Settled((), (SinkHealth("Audit", 0, 0, disabled),)))
        assert refused() == code


async def test_a_replay_names_the_plugins_that_judged_the_session(sessions: Sessions) -> None:
    """Each aggregator names its plugins; the next one gets the previous name."""
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    for name in ("first", "second"):
        sessions.receive(Opened(session.id, Profile.PASSIVE, name))
        assert session.opened.plugins == name


def begin(sessions: Sessions, address: str) -> Session:
    session, _ = sessions.begin(address, mirrored=False, client="null")
    return session


async def test_an_ipv6_network_is_one_address() -> None:
    """A client with a /64 gets no more sessions by changing its address within it."""
    sessions = made(sessionsPerAddress=2)
    for host in (1, 2):
        begin(sessions, f"2001:db8::{host}")
    with pytest.raises(ProtocolError, match="too many sessions"):
        begin(sessions, "2001:db8::ffff:3")
    begin(sessions, "2001:db8:0:1::1")


async def test_only_running_sessions_count_for_an_address() -> None:
    """A kiosk with decided sessions need not wait until they are forgotten."""
    sessions = made(sessionsPerAddress=2)
    first = begin(sessions, "192.0.2.1")
    begin(sessions, "192.0.2.1")
    with pytest.raises(ProtocolError, match="too many sessions"):
        begin(sessions, "192.0.2.1")
    sessions.receive(
        Judgement(first.id, 1, Profile.PASSIVE, "", final=True, accepted=True, result=RESULT)
    )
    assert sessions.get(first.id) is first
    begin(sessions, "192.0.2.1")


async def test_a_session_counts_where_it_was_opened_and_where_its_client_is() -> None:
    """With a second address a client can open no more sessions than with one."""
    sessions = made(sessionsPerAddress=1)
    session, token = sessions.begin("192.0.2.1", mirrored=False, client="null")
    assert await sessions.resume(session.id, token) is session
    session.attach(Listener(), 1, "192.0.2.2")
    for address in ("192.0.2.1", "192.0.2.2"):
        with pytest.raises(ProtocolError, match="too many sessions"):
            begin(sessions, address)
    begin(sessions, "192.0.2.3")
