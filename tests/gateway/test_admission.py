"""Admission: each check may refuse the upgrade, the first refusal is the answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.admission import Admission
from gateway.http import respond
from shared.config import LimitsSection

REQUEST = Request("/ws", Headers())
NOBODY = cast(Any, None)


def admission(open_connections: int = 0, **limits: Any) -> Admission:
    return Admission(LimitsSection(**limits), lambda: open_connections)


def test_it_goes_on_while_there_is_room() -> None:
    """With room and pace left, nobody is refused."""
    assert admission().refusal(NOBODY, REQUEST) is None


def test_it_refuses_while_draining() -> None:
    """A gateway that ends answers 503 so that the balancer tries another."""
    ending = admission()
    ending.draining = True
    refused = ending.refusal(NOBODY, REQUEST)
    assert refused is not None
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def test_it_refuses_when_full() -> None:
    """The bound of connections holds before the upgrade."""
    refused = admission(2, connections=2).refusal(NOBODY, REQUEST)
    assert refused is not None
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def test_it_refuses_a_rush() -> None:
    """Twice the rate may come at once, the next is told to wait."""
    rushed = admission(handshakesPerSecond=1.0)
    answers = [rushed.refusal(NOBODY, REQUEST) for _ in range(3)]
    assert answers[:2] == [None, None]
    assert answers[2] is not None
    assert answers[2].status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_a_further_check_may_refuse() -> None:
    """A request plugin appends its own check and is asked after the bounds."""
    guarded = admission()
    guarded.checks.append(lambda _, __: respond("no\n", status=HTTPStatus.FORBIDDEN))
    refused = guarded.refusal(NOBODY, REQUEST)
    assert refused is not None
    assert refused.status_code == HTTPStatus.FORBIDDEN
