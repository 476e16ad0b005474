"""The answer to ``/readyz``: whether the service can judge frames, and if not, why."""

from http import HTTPStatus

from websockets.http11 import Response

from gateway.web.http import respond


def readiness(*, draining: bool, workers: int, wanted: int, aggregator: bool) -> Response:
    """Answer 503 if no frame can be judged; 200 ``degraded`` if workers are missing."""
    missing = {"draining": draining, "no worker": not workers, "no aggregator": not aggregator}
    if any(missing.values()):
        text = ", ".join(name for name, true in missing.items() if true) + "\n"
        return respond(text, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return respond("ready\n" if workers >= wanted else f"degraded: {workers} of {wanted} workers\n")
