"""The Redis commands that each part of the service sends, by key pattern.

docs/redis.md has the ACL rules that allow exactly these.
"""

from typing import NamedTuple

_ARGUMENTS = {
    "": "EXEC INFO PING TIME UNWATCH",
    "x": "CLIENT|SETNAME SCRIPT|EXISTS SCRIPT|LOAD",
    "x 1 KEY": "EVALSHA",
    "KEY": "DEL EXISTS GET HGETALL LLEN PERSIST SMEMBERS SUBSCRIBE TTL WATCH XLEN ZCARD",
    "KEY 1": "EXPIRE PEXPIRE",
    "KEY f": "HDEL HGET HMGET",
    "KEY f v": "HSET HSETNX",
    "KEY f 1": "HINCRBY HINCRBYFLOAT",
    "KEY v": "RPUSH SET",
    "KEY m": "SADD SREM ZRANK ZREM ZSCORE",
    "KEY 1 m": "ZADD",
    "KEY 1 v": "LREM",
    "KEY 0 0": "ZRANGE ZRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE",
    "KEY 0 -1": "LRANGE",
    "KEY KEY LEFT RIGHT": "LMOVE",
    "KEY KEY LEFT RIGHT 1": "BLMOVE",
    "KEY * f v": "XADD",
    "KEY - +": "XRANGE",
    "KEY + -": "XREVRANGE",
}
"""Commands by the arguments that Redis requires; KEY is a key."""

ARGUMENTS = {name: text.split() for text, names in _ARGUMENTS.items() for name in names.split()}
"""Arguments of each command."""


class Need(NamedTuple):
    """Commands on the keys or channels of one pattern.

    Attributes:
        pattern: as in an ACL rule, such as ``~rq:*`` or ``&rq:pubsub:*``; empty for commands
            without a key.
        names: names of the commands as in an ACL rule, separated by blanks.
    """

    pattern: str
    names: str

    @property
    def commands(self) -> list[str]:
        """Names of the commands."""
        return self.names.split()


SESSION_STORE = (
    Need("", "PING TIME SCRIPT|LOAD"),
    Need(
        "~lunapass:session:*",
        "EVALSHA HMGET HGET HSET HSETNX HINCRBY LLEN LRANGE RPUSH DEL PEXPIRE",
    ),
    Need(
        "~lunapass:refused:*",
        "EVALSHA ZADD ZCARD ZRANGE ZRANK ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE PEXPIRE",
    ),
    Need(
        "~lunapass:{frames}:*",
        "EVALSHA HSET HGET HDEL ZADD ZCARD ZSCORE ZRANGE ZRANGEBYSCORE ZREM EXPIRE",
    ),
)
"""Gateways: sessions and refused sessions. Aggregators: frames."""

VIDEO_REDIS = (
    Need("", "SCRIPT|LOAD INFO EXEC"),
    Need("~lunapass:video:*", "XADD XLEN HSET EXPIRE"),
    Need("~rq:*", "EVALSHA EXISTS HGETALL HSET RPUSH SADD ZADD ZREM ZSCORE"),
)
"""The plugin VideoRedis: frames and RQ jobs."""

VIDEO_WORKER = (
    Need("", "PING INFO CLIENT|SETNAME SCRIPT|LOAD SCRIPT|EXISTS EXEC UNWATCH"),
    Need("&rq:pubsub:*", "SUBSCRIBE"),
    Need("~lunapass:video:*", "HGETALL XRANGE TTL EXPIRE PERSIST"),
    Need(
        "~rq:*",
        "WATCH EVALSHA BLMOVE LMOVE LLEN LRANGE LREM RPUSH GET SET DEL EXISTS EXPIRE PERSIST HDEL "
        "HGET HGETALL HINCRBY HINCRBYFLOAT HSET SADD SMEMBERS SREM XADD XREVRANGE ZADD ZCARD "
        "ZRANGE ZRANGEBYSCORE ZREM ZREMRANGEBYSCORE ZREVRANGE ZSCORE",
    ),
)
"""Video workers (RQ) and ``lunapass video``."""
