"""Connections to Redis: one server, TLS, a Unix socket, or the master of a set of sentinels.

Addresses::

    redis://[user:password@]host:port/db        rediss:// the same over TLS
    unix://[user:password@]/path?db=0
    redis+sentinel://[user:password@]host:port[,host:port...]/master[/db]

Other settings of redis-py go into the query, such as ``?ssl_ca_certs=/etc/ssl/redis.pem``. With
sentinels, user and password are those of the master; ``?sentinel_password=`` and
``?sentinel_username=`` are those of the sentinels. ``?ssl=1`` uses TLS for all of them, with the
files of ``ssl_ca_certs``, ``ssl_certfile`` and ``ssl_keyfile``.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from shared.errors import ConfigError, os_errors

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
SENTINEL_PORT = 26379
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Settings in the query whose value is a file."""


UNREACHED = (RedisError, OSError, TimeoutError)
"""Errors of a request that Redis did not carry out, or perhaps did not."""


class _Pool(SentinelConnectionPool):
    """Connections to a master; they and those to the sentinels are closed together."""

    def close(self) -> None:
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


class _AsyncPool(AsyncSentinelPool):
    """The same for an event loop."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(address: str, *, timeout: float | None = None) -> Redis:
    """Make a client, without connecting. Replies are bytes.

    ``timeout`` is in seconds, for a connection and for a reply, without a retry; None waits
    forever, which blocking commands need.

    Raises:
        ConfigError: the address is invalid, or a file that it names cannot be read.
    """
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if timeout is not None:
        options["retry"] = Retry(NoBackoff(), 0)
    client: Redis = _client(address, options, Redis, Sentinel, _Pool)
    return client


def connect_async(
    address: str, *, timeout: float, on_connect: Callable[[], None] | None = None
) -> AsyncRedis:
    """Make a client for an event loop, as ``connect`` does.

    ``on_connect`` is called for each new connection to Redis, before its first request. The
    caller decides whether a request that failed is still valid.

    Raises:
        ConfigError: the address is invalid, or a file that it names cannot be read.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": AsyncRetry(NoBackoff(), 0),
    }
    if on_connect is not None:
        options["redis_connect_func"] = _greeting(on_connect)
    client: AsyncRedis = _client(address, options, AsyncRedis, AsyncSentinel, _AsyncPool)
    return client


def _greeting(on_connect: Callable[[], None]) -> Callable[[Any], Awaitable[None]]:
    """Return a ``redis_connect_func``: it calls ``on_connect``, then redis-py's own handshake."""

    async def greet(connection: Any) -> None:
        on_connect()
        await connection.on_connect()

    return greet


async def close_quietly(redis: AsyncRedis) -> None:
    """Close a client at the end of the process; an error must not keep others from closing."""
    with contextlib.suppress(RedisError, OSError):
        await redis.aclose()


def check_address(address: str) -> None:
    """Check an address and the files that it names.

    Raises:
        ConfigError: the address is invalid, or a file that it names cannot be read.
    """
    connect(address).close()


def _client(address: str, options: dict[str, Any], server: Any, sentinel: Any, pool: Any) -> Any:
    try:
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        _check_files(query)
        if parts.scheme == "redis+sentinel":
            return _master(parts, query, options, sentinel, pool)
        if parts.scheme != "unix" and not re.fullmatch(r"/?|/[0-9]+", parts.path):
            raise ValueError("database must be a number")
        client = server.from_url(address, **options)
        client.connection_pool.make_connection()  # does not connect, but checks the settings
        return client
    except (ValueError, TypeError, RedisError) as error:
        raise ConfigError(
            "address of Redis or a setting in it is invalid; allowed: redis://host:port/db, "
            "rediss://..., unix:///path, redis+sentinel://host:port,host:port/master"
        ) from error


def _check_files(query: dict[str, str]) -> None:
    """Read the files for TLS: redis-py's error does not name a missing file."""
    for name in TLS_FILES:
        if path := query.get(name):
            place = f"address of Redis: {name}={path}"
            with os_errors(place, "correct the path or the file's permissions", kind=ConfigError):
                Path(path).read_bytes()


def _master(
    parts: SplitResult, query: dict[str, str], options: dict[str, Any], sentinel: Any, pool: Any
) -> Any:
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError("no master name")
    if query.pop("ssl", "0") == "1":
        options["ssl"] = True
        options |= {name: query.pop(name) for name in TLS_FILES if name in query}
    sentinel_options = {name: options[name] for name in options if name != "redis_connect_func"}
    for name in ("username", "password"):
        if value := query.pop(f"sentinel_{name}", None):
            sentinel_options[name] = value
    if query:
        raise ValueError("unknown settings")
    return sentinel(
        [_host(host) for host in hosts.split(",")],
        sentinel_kwargs=sentinel_options,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        **options,
    ).master_for(master, connection_pool_class=pool)


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT
