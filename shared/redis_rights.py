"""Finds the rights that a Redis user lacks, without needing the ACL commands.

The commands are queued in a transaction that is then discarded, so none is executed. Redis checks
the rights to a command and its keys when it is queued, whether a client or a script sends it.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import ExecAbortError, NoPermissionError, RedisError, ResponseError

from shared.redis_connection import connect
from shared.redis_needs import ARGUMENTS, Need

log = logging.getLogger(__name__)

OUTSIDE_TRANSACTION = ("WATCH", "UNWATCH", "EXEC")
"""Commands that cannot be queued. Sent before the transaction, they have no effect."""
TRANSACTION = (("MULTI",), ("DISCARD",))
RETRY_SECONDS = 5.0
"""Pause after Redis did not answer."""


class Probe(NamedTuple):
    """A command to check, with the ACL rules that allow it and its key or channel."""

    command: tuple[str, ...]
    rule: str
    pattern: str


def missing_rights(redis: Redis, needs: Sequence[Need]) -> str:
    """Find the rights that the user of a client lacks; one connection of its pool is used.

    Returns:
        The command for Redis that grants them; empty if none is missing.

    Raises:
        RedisError: Redis does not answer, or refuses the user as a whole.
    """
    connection = redis.connection_pool.get_connection()
    try:
        probes = list(_probes(needs))
        outside = [probe for probe in probes if probe.command[0] in OUTSIDE_TRANSACTION]
        inside = [probe for probe in probes if probe not in outside]
        start, end = (Probe(command, f"+{command[0].lower()}", "") for command in TRANSACTION)
        missing = _missing(connection, [*outside, start, end])
        if not missing.intersection((start.rule, end.rule)):
            # Without MULTI or DISCARD the commands themselves would be executed.
            missing |= _missing(connection, [start, *inside, end])
    finally:
        # If DISCARD was refused, this connection's transaction is still open.
        connection.disconnect()  # type: ignore[no-untyped-call]
        redis.connection_pool.release(connection)
    user = redis.connection_pool.connection_kwargs.get("username") or "default"
    return f"ACL SETUSER {user} {' '.join(sorted(missing))}" if missing else ""


async def log_missing_rights(
    place: str, address: str, needs: Sequence[Need], seconds: float
) -> None:
    """Log once which rights the user of an address lacks, as soon as Redis answers."""

    def ask() -> str:
        with connect(address, timeout=seconds) as redis:
            return missing_rights(redis, needs)

    while True:
        try:
            missing = await asyncio.to_thread(ask)
        except (RedisError, OSError):  # users of this Redis log the outage
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if missing:
            log.error("%s", describe(place, missing))
        return


def describe(place: str, missing: str) -> str:
    """Describe missing rights and how to grant them."""
    return f"{place}: the user of Redis lacks rights; grant them: {missing}"


def _probes(needs: Sequence[Need]) -> Iterator[Probe]:
    for need in needs:
        key = need.pattern[1:].replace("*", "probe")
        for name in need.commands:
            arguments = (key if word == "KEY" else word for word in ARGUMENTS[name])
            yield Probe((*name.split("|"), *arguments), f"+{name.lower()}", need.pattern)


def _missing(connection: Any, probes: Sequence[Probe]) -> set[str]:
    """Send commands and return the missing rules."""
    connection.send_packed_command(connection.pack_commands([probe.command for probe in probes]))
    missing = set()
    for probe in probes:
        try:
            connection.read_response()
        except (NoPermissionError, ExecAbortError) as error:  # ExecAbortError: EXEC was refused
            # Redis checks the command first, then "to access" a key or channel.
            missing.add(probe.pattern if "to access" in str(error) else probe.rule)
        except ResponseError:
            continue  # such as a full memory or a replica; not a missing right
    return missing
