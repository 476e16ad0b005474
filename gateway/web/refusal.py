"""Refused requests: reason, answer, metric and log."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from websockets.http11 import Response

from gateway import metrics
from gateway.limits.buckets import AddressBuckets, LineBudget
from gateway.web.forwarded import clean
from gateway.web.http import respond
from gateway.web.visit import Visit
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Minimum interval between two log lines about one address."""
LINES_PER_SECOND, LINES_AT_ONCE = 1.0, 60
"""Limit for all addresses together: a flood from many must not fill the disk."""
MAX_TEXT_CHARS = 100
"""Longest part of a client's text in a log line."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused.

    Attributes:
        reason: one of ``metrics.REFUSALS``.
        remedy: how to allow the request, for the log in development; empty if impossible.
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
    """Counts refusals; logs them once per address and minute, in development with the remedy."""

    def __init__(self, *, development: bool, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._development = development
        self._addresses = AddressBuckets(1 / LOG_SECONDS, 1)
        self._lines = LineBudget(LINES_PER_SECOND, LINES_AT_ONCE)

    def record(self, refusal: Refusal, visit: Visit) -> None:
        """Count a refusal, and log it unless its address was logged within the minute."""
        metrics.REQUESTS_REFUSED.labels(refusal.reason).inc()
        status = refusal.response.status_code
        if status == HTTPStatus.UNAUTHORIZED:
            return  # browsers always start without a password; BasicAuth logs wrong passwords
        now = self._clock.monotonic()
        if not self._addresses.admit(visit.sender.address, now):
            self._lines.leave_out()
            return
        if (unlogged := self._lines.take(now)) is None:
            return
        fields: dict[str, object] = {
            "reason": refusal.reason,
            "status": status,
            "address": visit.sender.address,
            "origin": clean(", ".join(visit.origins), MAX_TEXT_CHARS),
            "host": clean(visit.named, MAX_TEXT_CHARS),
        }
        if unlogged:
            fields["unlogged"] = unlogged
        if self._development and refusal.remedy:
            fields["remedy"] = clean(refusal.remedy, 2 * MAX_TEXT_CHARS)
        log.warning("request refused", extra={"fields": fields})
