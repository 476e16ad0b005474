"""Keys that verify start tokens: one of the configuration, or the relying party's JWK set."""

import asyncio
import json
import logging
import ssl
from functools import partial
from typing import Any, Protocol

import jwt

from shared.config.plugins import StartTokenArgs
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.start_keys import PLACE
from shared.text_files import require_no_path

log = logging.getLogger(__name__)

FETCH_SECONDS = 3.0
MAX_BYTES = 65_536
"""Size of a JWK set at most; one key has some 500 bytes."""
FRESH_SECONDS, MIN_PAUSE_SECONDS = 300.0, 10.0
"""Age at which the set is fetched again, and the pause between two fetches, so that tokens with
invented key ids cannot make the gateway ask without end."""
STALE_SECONDS = 3600.0
"""Age up to which the keys count while the set cannot be fetched."""


class UnknownKey(Exception):
    """No key is available for this token."""


class KeySource(Protocol):
    """Where the key of a token comes from."""

    async def key_for(self, token: str) -> Any:
        """Return the key that must have signed a token.

        Raises:
            UnknownKey: no key is available for this token.
            jwt.InvalidTokenError: the token names no key.
        """


class FixedKey:
    """The key of the configuration."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def key_for(self, token: str) -> Any:
        """Return the key."""
        return self._key


class JwkSet:
    """The keys at an address, fetched when a token names one that is not known yet."""

    def __init__(self, url: str, *, clock: Clock = SYSTEM) -> None:
        # A late import, as in gateway/sessions/handover.py.
        import httpx

        # One context for all fetches: loading the certificates takes milliseconds of the loop.
        context = ssl.create_default_context()
        self._client = partial(
            httpx.AsyncClient, timeout=FETCH_SECONDS, trust_env=False, verify=context
        )
        self._errors = (httpx.HTTPError, ValueError, TimeoutError)
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._one_fetch = asyncio.Lock()
        self._outage = Outage(
            log,
            "the JWK set of start tokens cannot be fetched",
            "the JWK set of start tokens is fetched again",
        )

    async def key_for(self, token: str) -> Any:
        """Return the key whose id the token's header has."""
        name = jwt.get_unverified_header(token).get("kid")
        if not isinstance(name, str):
            raise jwt.InvalidTokenError("the token names no key")
        if not self._has(name, FRESH_SECONDS):  # a known key waits for no fetch of another one
            async with self._one_fetch:  # those that wait find what the first one fetched
                if not self._has(name, FRESH_SECONDS):
                    await self._refresh()
        if not self._has(name, STALE_SECONDS):
            raise UnknownKey(name)
        return self._keys[name]

    def _has(self, name: str, max_age: float) -> bool:
        return name in self._keys and self._clock.monotonic() - self._fetched <= max_age

    async def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._tried < MIN_PAUSE_SECONDS:
            return
        self._tried = now
        try:
            self._keys = _parsed(await self._fetch())
        except self._errors as error:
            self._outage.failed(_reason(error))
            return
        self._fetched = now
        self._outage.worked()

    async def _fetch(self) -> bytes:
        """Fetch the set; one time limit for the whole response, since a server may send slowly."""
        async with (
            asyncio.timeout(FETCH_SECONDS),
            self._client() as client,
            client.stream("GET", self._url) as response,
        ):
            response.raise_for_status()
            data = b""
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise ValueError(f"it is larger than {MAX_BYTES} bytes")
            return data


def key_source(args: StartTokenArgs, *, clock: Clock) -> KeySource:
    """Choose what the configuration names.

    Raises:
        ConfigError: the key is still the path of a file.
    """
    if args.jwksUrl is not None:
        return JwkSet(args.jwksUrl, clock=clock)
    assert args.key is not None  # a rule of the configuration
    return FixedKey(require_no_path(args.key.get_secret_value(), PLACE))


def _reason(error: BaseException) -> str:
    """Describe a failed fetch, without the address: its query may have a secret."""
    response = getattr(error, "response", None)
    status = "" if response is None else f": status {response.status_code}"
    return f"{type(error).__name__}{status}"


def _parsed(data: bytes) -> dict[str, jwt.PyJWK]:
    """Read a set, without the keys that are not for signatures or not known here (RFC 7517, 5).

    Raises:
        ValueError: it is not a set, or no key of it can be used.
    """
    table = json.loads(data)
    keys = table.get("keys") if isinstance(table, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the response is not a JWK set")
    usable = {key["kid"]: known for key in keys if (known := _public_key(key)) is not None}
    if not usable:
        raise ValueError("no key of the JWK set can be used")
    return usable


def _public_key(key: object) -> jwt.PyJWK | None:
    """Return a key that verifies signatures; None if it is another kind or cannot be read."""
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str):
        return None
    if key.get("use", "sig") != "sig" or key.get("kty") == "oct":
        return None
    try:
        return jwt.PyJWK.from_dict(key)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        log.warning("a key of the JWK set cannot be used: %s", error)
        return None
