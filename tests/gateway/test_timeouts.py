"""Each timeout of the gateway ends on time, whatever the wall clock does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.ledger import Ledger
from gateway.sessions.refused_sessions import FIRST_BLOCK_SECONDS, WINDOW_SECONDS, LocalRefusals
from gateway.web.admission import Admission
from gateway.web.basic_auth import BasicAuth
from shared.config.plugins import BasicAuthArgs, PluginSection
from shared.config.service import Config
from shared.process.accounts import Accounts
from shared.wire.messages import Account
from tests.support.clock import SettableClock
from tests.support.visits import HOST, visit

IsOver = Callable[[], bool]
ADDRESS = "192.0.2.9"


def wait_of_an_address(clock: SettableClock) -> IsOver:
    """An address with the maximum number of refused sessions."""
    refused = LocalRefusals(clock=clock)
    refused.charge(ADDRESS, "session", 1)
    return lambda: refused.tally(ADDRESS).blocked_seconds(1) <= 0


def hour_of_a_refused_session(clock: SettableClock) -> IsOver:
    refused = LocalRefusals(clock=clock)
    refused.charge(ADDRESS, "session", 1)
    return lambda: refused.tally(ADDRESS).number == 0


def wrong_password(clock: SettableClock) -> IsOver:
    """An address whose only attempt was wrong."""
    args = {"username": "kiosk", "password": "right", "wrongTries": 1, "wrongTriesPerMinute": 6.0}
    section = PluginSection[BasicAuthArgs].model_validate({"isEnabled": True, "args": args})
    auth = BasicAuth(section, clock=clock)
    request = Request("/ws", Headers([("Authorization", "Basic a2lvc2s6cmlnaHQ=")]))
    auth.admit(Request("/ws", Headers([("Authorization", "Basic eDp4")])), ADDRESS)
    return lambda: auth.admit(request, ADDRESS) is None


def handshakes(clock: SettableClock) -> IsOver:
    """An address that has used its handshakes."""
    config = Config.model_validate(
        {"LUNA_PASS": {"hosts": [HOST]}, "LIMITS": {"handshakesPerAddress": 0.5}}
    )
    off = BasicAuth(config.MIDDLEWARES.REQUEST.BasicAuth, clock=clock)
    admission = Admission(config, off, lambda: True, clock=clock)
    admission.upgrade(visit(peer=ADDRESS))
    return lambda: admission.upgrade(visit(peer=ADDRESS)) is None


def memory_of_a_silent_process(clock: SettableClock) -> IsOver:
    """A process that sends no more accounts."""
    ledger = Ledger(Accounts("gateway"), clock=clock)
    ledger.record(Account("worker-0", 1, 0.0, 1000, {}, ()))
    return lambda: "worker-0" not in ledger.memory()


BOUNDS = {
    wait_of_an_address: FIRST_BLOCK_SECONDS,
    hour_of_a_refused_session: WINDOW_SECONDS,
    wrong_password: 10.0,
    handshakes: 2.0,
    memory_of_a_silent_process: Ledger.STALE_SECONDS,
}


@pytest.mark.parametrize("step", [20.0, -3600.0, 86_400.0])
@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
def test_it_ends_on_time(bound: Callable[[SettableClock], IsOver], step: float) -> None:
    """It ends neither early nor late."""
    clock = SettableClock()
    is_over = bound(clock)
    assert not is_over()
    clock.step(step)
    clock.advance(BOUNDS[bound] - 0.1)
    assert not is_over()
    clock.advance(0.2)
    assert is_over()
