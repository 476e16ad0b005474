"""Connecting to Redis: one server, TLS, a unix socket, or a master that sentinels name.

Addresses::

    redis://[user:password@]host:port/db        rediss:// the same over TLS
    unix://[user:password@]/path?db=0
    redis+sentinel://[user:password@]host:port[,host:port...]/master[/db]

Further settings of redis-py go into the query, such as ``?ssl_ca_certs=/etc/ssl/redis.pem``. With
sentinels, user and password are those of the master; ``?sentinel_password=`` and
``?sentinel_username=`` are those of the sentinels, and ``?ssl=1`` speaks TLS to all of them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.errors import ConfigError

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
SENTINEL_PORT = 26379


def connect(address: str, *, timeout: float | None = None) -> Redis:
    """Make a client; nothing is sent yet. Answers are bytes.

    Args:
        address: address as told above.
        timeout: seconds to wait for a connection and for an answer, and then no second try; None
            waits without bound, as a client that blocks on purpose must.

    Raises:
        ConfigError: the address cannot be understood.
    """
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if timeout is not None:
        options["retry"] = Retry(NoBackoff(), 0)
    try:
        parts = urlsplit(address)
        if parts.scheme == "redis+sentinel":
            return _master(parts, options)
        return Redis.from_url(address, **options)
    except ValueError as error:
        raise ConfigError(
            "address of Redis cannot be understood; allowed: redis://host:port/db, rediss://..., "
            "unix:///path, redis+sentinel://host:port,host:port/master"
        ) from error


def _master(parts: SplitResult, options: dict[str, Any]) -> Redis:
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    if not master:
        raise ValueError("no name of a master")
    if query.pop("ssl", "0") == "1":
        options["ssl"] = True
    sentinel_options = dict(options)
    for name in ("username", "password"):
        if value := query.pop(f"sentinel_{name}", None):
            sentinel_options[name] = value
    if query:
        raise ValueError("unknown settings")
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        [_host(host) for host in hosts.split(",")],
        sentinel_kwargs=sentinel_options,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        **options,
    )
    client: Redis = sentinel.master_for(master)
    return client


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT
