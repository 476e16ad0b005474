"""Client of LUNA PLATFORM 3 (API version 4): estimates the quality of a photo.

Status 201 and a refused photo (400) are answers; every other status is an outage. Those from 500
on, time-outs and broken connections are retried. After several outages in a row, a circuit breaker
fails requests at once for a while.
"""

import asyncio
import json
import logging
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from aggregator.json_data import parse_object
from aggregator.plugins.base import NoAnswer
from shared.config.plugins import Luna3Args
from shared.errors import ConfigError
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage

log = logging.getLogger(__name__)

PATH = "/4/storage/descriptors"
MAX_ANSWER_BYTES = 65_536
FIRST_PAUSE = 0.1
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 10.0


class PlatformError(NoAnswer):
    """The platform gave no usable answer."""

    def __init__(self, reason: str, *, retry: bool = True) -> None:
        super().__init__(reason)
        self.retry = retry


@dataclass
class Breaker:
    """Circuit breaker: opens after outages in a row, then allows one request per pause."""

    clock: Clock = SYSTEM
    failures: int = 0
    retry_at: float = 0.0

    def check(self) -> None:
        """Allow a request, or raise.

        Raises:
            PlatformError: the breaker is open.
        """
        if self.failures < FAILURES_TO_OPEN:
            return
        if self.clock.monotonic() < self.retry_at:
            raise PlatformError("the circuit breaker is open", retry=False)
        self.retry_at = self.clock.monotonic() + OPEN_SECONDS

    def record(self, *, success: bool) -> None:
        """Record the result of a request."""
        self.failures = 0 if success else self.failures + 1
        if self.failures == FAILURES_TO_OPEN:
            self.retry_at = self.clock.monotonic() + OPEN_SECONDS


def _header_value(token: str) -> str:
    """Check a token before it is sent, because the client's error would quote it in the log.

    Raises:
        ConfigError: a header cannot contain it.
    """
    if not (token.isascii() and token.isprintable()) or token != token.strip():
        raise ConfigError(
            "[MIDDLEWARES.WS.Luna3DescriptorQualityCheck] args.authToken: found spaces around it or"
            " characters that a header cannot contain; allowed: printable ASCII; correct it or its"
            " file"
        )
    return token


class Luna3:
    """Requests the quality of photos; shared by all sessions.

    Raises:
        ConfigError: the token cannot be sent.
    """

    def __init__(self, args: Luna3Args, breaker: Breaker | None = None) -> None:
        self._args = args
        self._breaker = breaker or Breaker()
        self._outage = Outage(log, "LUNA PLATFORM fails", "LUNA PLATFORM answers again")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if args.authToken is not None:
            headers["X-Auth-Token"] = _header_value(args.authToken.get_secret_value())
        self._client = httpx.AsyncClient(
            base_url=args.connectionString.rstrip("/"),
            headers=headers,
            timeout=args.timeout,
            trust_env=False,
        )

    @property
    def max_seconds(self) -> float:
        """Maximum time for one answer, with all retries."""
        tries = self._args.retries + 1
        return tries * self._args.timeout + FIRST_PAUSE * (1 << tries) + 1.0

    async def ask(self, photo: bytes) -> bytes:
        """Request the quality of a photo: the judged pixels as JPEG.

        Returns:
            JSON: ``{"quality": number}``, or ``{"refused": code}`` if the platform refuses it.

        Raises:
            PlatformError: there is no usable answer.
        """
        try:
            answer = await self._ask(photo)
        except PlatformError as error:
            self._outage.failed(f"frames are refused with code 34: {error}")
            raise
        self._outage.worked()
        return json.dumps(answer).encode()

    async def _ask(self, photo: bytes) -> dict[str, Any]:
        for attempt in range(self._args.retries + 1):
            self._breaker.check()
            try:
                async with asyncio.timeout(self._args.timeout):
                    answer = await self._try(photo)
            except (PlatformError, httpx.HTTPError, TimeoutError) as error:
                self._breaker.record(success=False)
                if attempt == self._args.retries or not getattr(error, "retry", True):
                    raise PlatformError(str(error) or type(error).__name__) from error
                await asyncio.sleep(FIRST_PAUSE * (1 << attempt))
            else:
                self._breaker.record(success=True)
                return answer
        raise AssertionError("not reached")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _try(self, photo: bytes) -> dict[str, Any]:
        async with self._client.stream(
            "POST",
            PATH,
            params={"estimate_quality": 1, "extract_descriptor": 1},
            content=photo,
            headers={"Content-Type": "image/jpeg"},
        ) as response:
            body = await _read(response)
        if response.status_code == HTTPStatus.CREATED:
            return self._quality(body)
        if response.status_code == HTTPStatus.BAD_REQUEST:
            code = body.get("error_code")
            return {"refused": code if isinstance(code, int) else 0}
        raise PlatformError(
            f"status {response.status_code}, error {body.get('error_code')}",
            retry=response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )

    def _quality(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the configured field of the first face; no face counts as a refused photo."""
        field = self._args.qualityField
        try:
            faces = body["faces"]
            if not faces:
                return {"refused": 0}
            value = faces[0]["score"] if field == "score" else faces[0]["quality"][field]
        except (KeyError, TypeError, IndexError) as error:
            raise PlatformError(f"the answer has no field {field}", retry=False) from error
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise PlatformError(f"the field {field} is not a finite number", retry=False)
        return {"quality": float(value)}


async def _read(response: httpx.Response) -> dict[str, Any]:
    """Read a JSON object of limited size; return an empty one for anything else."""
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise PlatformError(f"the answer has more than {MAX_ANSWER_BYTES} bytes", retry=False)
    return parse_object(data)
