"""The Redis commands that each part of the service sends, by key pattern.

docs/redis.md has the ACL rules that allow exactly these.
"""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    """Commands on the keys or channels of one pattern.

    Attributes:
        pattern: as in an ACL rule, such as ``~rq:*`` or ``&rq:pubsub:*``; empty for commands
            without a key.
        commands: commands with the arguments that Redis requires; KEY is a key of the pattern.
    """

    pattern: str
    commands: tuple[str, ...]


SESSION_STORE = (
    Need("", ("PING", "TIME", "SCRIPT LOAD x")),
    Need(
        "~lunapass:session:*",
        (
            "EVALSHA x 1 KEY",
            "HMGET KEY f",
            "HGET KEY f",
            "HSET KEY f v",
            "HSETNX KEY f v",
            "HINCRBY KEY f 1",
            "LLEN KEY",
            "LRANGE KEY 0 -1",
            "RPUSH KEY v",
            "DEL KEY",
            "PEXPIRE KEY 1",
        ),
    ),
    Need(
        "~lunapass:refused:*",
        (
            "EVALSHA x 1 KEY",
            "ZADD KEY 1 m",
            "ZCARD KEY",
            "ZRANGE KEY 0 0",
            "ZRANK KEY m",
            "ZREM KEY m",
            "ZREMRANGEBYRANK KEY 0 0",
            "ZREMRANGEBYSCORE KEY 0 0",
            "PEXPIRE KEY 1",
        ),
    ),
    Need(
        "~lunapass:{frames}:*",
        (
            "EVALSHA x 1 KEY",
            "HSET KEY f v",
            "HGET KEY f",
            "HDEL KEY f",
            "ZADD KEY 1 m",
            "ZCARD KEY",
            "ZSCORE KEY m",
            "ZRANGE KEY 0 0",
            "ZRANGEBYSCORE KEY 0 0",
            "ZREM KEY m",
            "EXPIRE KEY 1",
        ),
    ),
)
"""Gateways: sessions and refused sessions. Aggregators: frames."""

VIDEO_REDIS = (
    Need("", ("SCRIPT LOAD x", "INFO", "EXEC")),
    Need(
        "~lunapass:video:*",
        ("XADD KEY * f v", "XLEN KEY", "HSET KEY f v", "EXPIRE KEY 1"),
    ),
    Need(
        "~rq:*",
        (
            "EVALSHA x 1 KEY",
            "EXISTS KEY",
            "HGETALL KEY",
            "HSET KEY f v",
            "RPUSH KEY v",
            "SADD KEY m",
            "ZADD KEY 1 m",
            "ZREM KEY m",
            "ZSCORE KEY m",
        ),
    ),
)
"""The plugin VideoRedis: frames and RQ jobs."""

VIDEO_WORKER = (
    Need(
        "",
        (
            "PING",
            "INFO",
            "CLIENT SETNAME x",
            "SCRIPT LOAD x",
            "SCRIPT EXISTS x",
            "EXEC",
            "UNWATCH",
        ),
    ),
    Need("&rq:pubsub:*", ("SUBSCRIBE KEY",)),
    Need(
        "~lunapass:video:*",
        (
            "HGETALL KEY",
            "XRANGE KEY - +",
            "TTL KEY",
            "EXPIRE KEY 1",
            "PERSIST KEY",
        ),
    ),
    Need(
        "~rq:*",
        (
            "WATCH KEY",
            "EVALSHA x 1 KEY",
            "BLMOVE KEY KEY LEFT RIGHT 1",
            "LMOVE KEY KEY LEFT RIGHT",
            "LLEN KEY",
            "LRANGE KEY 0 -1",
            "LREM KEY 1 v",
            "RPUSH KEY v",
            "GET KEY",
            "SET KEY v",
            "DEL KEY",
            "EXISTS KEY",
            "EXPIRE KEY 1",
            "PERSIST KEY",
            "HDEL KEY f",
            "HGET KEY f",
            "HGETALL KEY",
            "HINCRBY KEY f 1",
            "HINCRBYFLOAT KEY f 1",
            "HSET KEY f v",
            "SADD KEY m",
            "SMEMBERS KEY",
            "SREM KEY m",
            "XADD KEY * f v",
            "XREVRANGE KEY + -",
            "ZADD KEY 1 m",
            "ZCARD KEY",
            "ZRANGE KEY 0 0",
            "ZRANGEBYSCORE KEY 0 0",
            "ZREM KEY m",
            "ZREMRANGEBYSCORE KEY 0 0",
            "ZREVRANGE KEY 0 0",
            "ZSCORE KEY m",
        ),
    ),
)
"""Video workers (RQ) and ``lunapass video``."""
