"""Ask Redis which rights its user lacks, without rights to the commands of ACL.

The commands in question are queued in a transaction that is then discarded, so none of them is
carried out. Redis checks the rights to a command and its keys when it is queued, whether it comes
from a client or a script.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import ExecAbortError, NoPermissionError, RedisError, ResponseError

from shared.redis_connection import connect
from shared.redis_needs import Need

log = logging.getLogger(__name__)

CONTAINERS = ("SCRIPT", "CLIENT")
"""Commands whose subcommands have rights of their own."""
OUTSIDE_TRANSACTION = ("WATCH", "UNWATCH", "EXEC")
"""Commands that cannot be queued. Sent before the transaction, they change nothing."""
FRAME = (("MULTI",), ("DISCARD",))
RETRY_SECONDS = 5.0
"""Pause before a Redis that did not answer is asked again."""


class Probe(NamedTuple):
    """A command to ask about.

    Attributes:
        command: its words.
        rule: ACL rule that allows the command.
        pattern: ACL rule that allows its key or channel.
    """

    command: tuple[str, ...]
    rule: str
    pattern: str


def missing_rights(redis: Redis, needs: Sequence[Need]) -> str:
    """Find the rights that the user of a connection lacks.

    Args:
        redis: client; one connection of its pool is used.
        needs: what the user must be able to do.

    Returns:
        The line for Redis that grants them; empty when none is missing.

    Raises:
        RedisError: Redis does not answer, or refuses the user as a whole.
    """
    connection = redis.connection_pool.get_connection()
    try:
        probes = list(_probes(needs))
        outside = [probe for probe in probes if probe.command[0] in OUTSIDE_TRANSACTION]
        inside = [probe for probe in probes if probe not in outside]
        frame = [Probe(command, f"+{command[0].lower()}", "") for command in FRAME]
        missing = _ask(connection, [*outside, *frame])
        if not missing.intersection(probe.rule for probe in frame):
            # Without MULTI or DISCARD the commands themselves would be carried out.
            missing |= _ask(connection, [frame[0], *inside, frame[1]])
    finally:
        # Where DISCARD was refused, the transaction of this connection is still open.
        connection.disconnect()  # type: ignore[no-untyped-call]
        redis.connection_pool.release(connection)
    user = redis.connection_pool.connection_kwargs.get("username") or "default"
    return f"ACL SETUSER {user} {' '.join(sorted(missing))}" if missing else ""


async def log_missing_rights(
    place: str, address: str, needs: Sequence[Need], seconds: float
) -> None:
    """Log once which rights are missing, as soon as Redis answers.

    Args:
        place: where the address is in the configuration.
        address: address of Redis.
        needs: what its user must be able to do.
        seconds: wait for a connection, and for an answer.
    """

    def ask() -> str:
        with connect(address, timeout=seconds) as redis:
            return missing_rights(redis, needs)

    while True:
        try:
            missing = await asyncio.to_thread(ask)
        except (RedisError, OSError):  # the outage is logged by who works with that Redis
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if missing:
            log.error("%s", fault(place, missing))
        return


def fault(place: str, missing: str) -> str:
    """Describe missing rights, and what to do."""
    return f"{place}: the user of Redis lacks rights; grant them: {missing}"


def _probes(needs: Sequence[Need]) -> Iterator[Probe]:
    for pattern, commands in needs:
        key = pattern[1:].replace("*", "probe")
        for command in commands:
            words = tuple(key if word == "KEY" else word for word in command.split())
            name = "|".join(words[:2]) if words[0] in CONTAINERS else words[0]
            yield Probe(words, f"+{name.lower()}", pattern)


def _ask(connection: Any, probes: Sequence[Probe]) -> set[str]:
    """Send commands and gather the rules that are missing."""
    connection.send_packed_command(connection.pack_commands([probe.command for probe in probes]))
    missing = set()
    for probe in probes:
        try:
            connection.read_response()
        except (NoPermissionError, ExecAbortError) as error:  # the latter for a refused EXEC
            # Redis checks the command first: "to access" a key or channel comes after that.
            missing.add(probe.pattern if "to access" in str(error) else probe.rule)
        except ResponseError:
            continue  # such as a full memory or a replica: the user itself was not refused
    return missing
