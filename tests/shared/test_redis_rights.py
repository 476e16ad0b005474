"""Rights in Redis: the documented rules suffice, and each missing one is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from shared.redis_connection import connect
from shared.redis_needs import SESSION_STORE, VIDEO_REDIS, VIDEO_WORKER, Need
from shared.redis_rights import log_missing_rights, missing_rights
from tests.support.log import logged
from tests.support.redis_server import RedisServer, running_redis

NEEDS = {
    "SESSION_STORE": ("lunapass-store", SESSION_STORE),
    "VIDEO_REDIS": ("lunapass-video", VIDEO_REDIS),
    "VIDEO_WORKER": ("lunapass-video", VIDEO_WORKER),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as started:
        yield started


@pytest.fixture(params=NEEDS)
def user(request: pytest.FixtureRequest, server: RedisServer) -> tuple[str, tuple[Need, ...]]:
    name, needs = NEEDS[request.param]
    server.allow(name)
    return name, needs


def asked(server: RedisServer, name: str, needs: tuple[Need, ...]) -> set[str]:
    """Return the rules that are reported missing."""
    with connect(server.url_of(name), timeout=60) as redis:
        found = missing_rights(redis, needs)
    assert not found or found.startswith(f"ACL SETUSER {name} ")
    return set(found.split()[3:])


def test_the_documented_rules_suffice(
    server: RedisServer, user: tuple[str, tuple[Need, ...]]
) -> None:
    """Nothing is reported, and the check changes nothing in Redis."""
    assert asked(server, *user) == set()
    with server.client() as client:
        assert client.keys("*") == []


def test_each_missing_right_is_named(
    server: RedisServer, user: tuple[str, tuple[Need, ...]]
) -> None:
    """Exactly the removed command, key or channel is named; granting it helps."""
    name, needs = user
    keys = {need.pattern for need in needs if need.pattern}
    commands = {rule for need in needs for rule in rules(need)}
    with server.client() as admin:
        for rule in {*commands, "+multi", "+discard"}:
            admin.execute_command("ACL", "SETUSER", name, f"-{rule[1:]}")
            assert asked(server, name, needs) == {rule}
            admin.execute_command("ACL", "SETUSER", name, rule)
        for pattern in keys:
            kind = "resetkeys" if pattern.startswith("~") else "resetchannels"
            others = sorted(other for other in keys - {pattern} if other[0] == pattern[0])
            admin.execute_command("ACL", "SETUSER", name, kind, *others)
            assert asked(server, name, needs) == {pattern}
            admin.execute_command("ACL", "SETUSER", name, pattern)
        assert asked(server, name, needs) == set()


def rules(need: Need) -> set[str]:
    words = [command.lower().split() for command in need.commands]
    return {
        "+" + ("|".join(each[:2]) if each[0] in ("script", "client") else each[0]) for each in words
    }


def test_without_multi_no_command_is_executed(server: RedisServer) -> None:
    """The check uses a transaction that it discards; without MULTI the commands would run."""
    server.allow("lunapass-store")
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "lunapass-store", "-multi", "-hset")
        assert asked(server, "lunapass-store", SESSION_STORE) == {"+multi"}
        assert admin.keys("*") == []


def test_a_wrong_password_is_no_missing_right(server: RedisServer) -> None:
    """Redis refuses such a user entirely."""
    server.allow("lunapass-store")
    redis: Redis = connect(f"redis://lunapass-store:wrong@127.0.0.1:{server.port}", timeout=60)
    with redis, pytest.raises(AuthenticationError):
        missing_rights(redis, SESSION_STORE)


async def test_missing_rights_are_logged_once(server: RedisServer) -> None:
    """One line says what to grant and where."""
    server.allow("lunapass-store")
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "lunapass-store", "-hset")
    url = server.url_of("lunapass-store")
    with logged("shared.redis_rights") as lines:
        await log_missing_rights("[PLACE] key", url, SESSION_STORE, 5.0)
    assert [line["message"] for line in lines] == [
        "[PLACE] key: the user of Redis lacks rights; grant them: ACL SETUSER lunapass-store +hset"
    ]
