"""Requests that are refused: why, with which answer, counted and logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from websockets.http11 import Response

from gateway import metrics
from gateway.web.forwarded import clean
from gateway.web.http import respond
from gateway.web.limits import AddressBuckets, LineBudget
from gateway.web.visit import Visit
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

SECONDS = 60.0
"""Between two log lines about one address."""
LINES_PER_SECOND, LINES_AT_ONCE = 1.0, 60
"""Log lines about all addresses: a flood from many must not fill the disk."""
MAX_TEXT = 100
"""Characters of what a client sent, in a log line."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served.

    Attributes:
        reason: one of ``metrics.REFUSALS``.
        response: the answer.
        remedy: what would let it pass, for the log in development; empty where nothing would.
    """

    reason: str
    response: Response
    remedy: str = ""


def refuse(
    reason: str,
    status: HTTPStatus,
    text: str,
    *,
    remedy: str = "",
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """Make a refusal with a text for the client."""
    return Refusal(reason, respond(text, status=status, headers=headers), remedy)


class RefusalLog:
    """Counts refusals, and logs them once for each address and minute.

    Args:
        development: say in the log what would let a request pass.
        clock: times the log lines.
    """

    def __init__(self, *, development: bool, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._development = development
        self._addresses = AddressBuckets(1 / SECONDS, 1)
        self._lines = LineBudget(LINES_PER_SECOND, LINES_AT_ONCE)

    def note(self, refusal: Refusal, visit: Visit) -> None:
        """Count a refusal and log it, unless its address had its line already."""
        metrics.REQUESTS_REFUSED.labels(refusal.reason).inc()
        status = refusal.response.status_code
        if status == HTTPStatus.UNAUTHORIZED:
            return  # how every browser begins; wrong passwords are logged where they are judged
        now = self._clock.monotonic()
        if not self._addresses.admit(visit.came.address, now):
            self._lines.leave_out()
            return
        if (unlogged := self._lines.take(now)) is None:
            return
        fields: dict[str, object] = {
            "reason": refusal.reason,
            "status": status,
            "address": visit.came.address,
            "origin": clean(", ".join(visit.origins), MAX_TEXT),
            "host": clean(visit.named, MAX_TEXT),
        }
        if unlogged:
            fields["unlogged"] = unlogged
        if self._development and refusal.remedy:
            fields["remedy"] = clean(refusal.remedy, 2 * MAX_TEXT)
        log.warning("request refused", extra={"fields": fields})
