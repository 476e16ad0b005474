"""The answer to ``/readyz``: whether the service can do its work, and what keeps it from it."""

from __future__ import annotations

from http import HTTPStatus

from websockets.http11 import Response

from gateway.web.http import respond


def readiness(*, draining: bool, workers: int, wanted: int, aggregator: bool) -> Response:
    """Answer 503 where nothing can be judged; 200 with a word where it goes on with less.

    Args:
        draining: the gateway takes no new sessions.
        workers: how many are ready.
        wanted: how many there should be.
        aggregator: whether it answers.
    """
    missing = {"draining": draining, "no worker": not workers, "no aggregator": not aggregator}
    if any(missing.values()):
        text = ", ".join(name for name, true in missing.items() if true) + "\n"
        return respond(text, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return respond("ready\n" if workers >= wanted else f"degraded: {workers} of {wanted} workers\n")
