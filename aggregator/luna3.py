"""Client of LUNA PLATFORM 3 (API version 4): the quality that it sees in a photo.

A photo it refuses is an answer; whatever else is not 201 is an outage. Outages are tried again a
few times; when they go on, a circuit breaker spares everybody the wait for a while.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from shared.config.plugins import Luna3Args
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

PATH = "/4/storage/descriptors"
MAX_ANSWER_BYTES = 65_536
FIRST_PAUSE = 0.1
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 10.0


class NoAnswer(Exception):
    """The platform gave no answer that says anything of the photo."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.again = again


@dataclass
class Breaker:
    """Stops asking after outages in a row, and tries with a single question after a pause.

    Attributes:
        clock: times the pause.
        failures: outages in a row.
        closed_from: time from which the next question may go out.
    """

    clock: Clock = SYSTEM
    failures: int = 0
    closed_from: float = 0.0

    def check(self) -> None:
        """Let a question out, or raise.

        Raises:
            Outage: outages went on; nothing is asked for now.
        """
        if self.failures < FAILURES_TO_OPEN:
            return
        if self.clock.monotonic() < self.closed_from:
            raise NoAnswer("nothing is asked for now", again=False)
        self.closed_from = self.clock.monotonic() + OPEN_SECONDS

    def note(self, *, success: bool) -> None:
        """Learn how a question ended."""
        self.failures = 0 if success else self.failures + 1
        if self.failures == FAILURES_TO_OPEN:
            self.closed_from = self.clock.monotonic() + OPEN_SECONDS
            log.error("LUNA PLATFORM is not asked for %g s", OPEN_SECONDS)


class Luna3:
    """Asks for the quality of photos; shared by all sessions.

    Args:
        args: address, token and times.
        breaker: spares sessions the wait while the platform is out.
    """

    def __init__(self, args: Luna3Args, breaker: Breaker | None = None) -> None:
        self._args = args
        self._breaker = breaker or Breaker()
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if args.authToken is not None:
            headers["X-Auth-Token"] = args.authToken.get_secret_value()
        self._client = httpx.AsyncClient(
            base_url=args.connectionString.rstrip("/"),
            headers=headers,
            timeout=args.timeout,
            trust_env=False,
        )

    @property
    def patience(self) -> float:
        """Longest time for one answer, in seconds."""
        tries = self._args.retries + 1
        return tries * self._args.timeout + FIRST_PAUSE * (1 << tries) + 1.0

    async def ask(self, photo: bytes) -> bytes:
        """Ask for a photo's quality.

        Args:
            photo: the judged pixels as JPEG.

        Returns:
            JSON: ``{"quality": number}``, or ``{"refused": code}`` of a photo it does not take.

        Raises:
            Outage: there is no answer.
        """
        for attempt in range(self._args.retries + 1):
            self._breaker.check()
            try:
                async with asyncio.timeout(self._args.timeout):
                    answer = await self._try(photo)
            except (NoAnswer, httpx.HTTPError, TimeoutError) as error:
                self._breaker.note(success=False)
                if attempt == self._args.retries or not getattr(error, "again", True):
                    raise NoAnswer(f"{type(error).__name__}: {error}") from error
                await asyncio.sleep(FIRST_PAUSE * (1 << attempt))
            else:
                self._breaker.note(success=True)
                return json.dumps(answer).encode()
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
        raise NoAnswer(
            f"status {response.status_code}, error {body.get('error_code')}",
            again=response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )

    def _quality(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take the chosen field of the first face; no face is a photo it does not take."""
        try:
            faces = body["faces"]
            if not faces:
                return {"refused": 0}
            field = self._args.qualityField
            value = faces[0]["score"] if field == "score" else faces[0]["quality"][field]
        except (KeyError, TypeError, IndexError) as error:
            raise NoAnswer("an answer without the chosen quality", again=False) from error
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise NoAnswer("a quality that is no number", again=False)
        return {"quality": float(value)}


async def _read(response: httpx.Response) -> dict[str, Any]:
    """Read a bounded JSON object as it is sent; anything else reads as an empty one."""
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise NoAnswer(f"an answer over {MAX_ANSWER_BYTES} bytes", again=False)
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
