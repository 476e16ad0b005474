"""A real redis-server on a free port of the loopback, which a test may kill and restart."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.support.ports import free_port


@dataclass
class RedisServer:
    """A redis-server with its data in its own folder and every write in the log (AOF).

    Attributes:
        directory: its data, which survives ``kill``.
        password: required password, if any.
        settings: further settings, such as ``("--maxmemory", "10mb")``.
        user: user of docs/redis.md in ``url``, with exactly its rights; empty for the default one.
        wrapper: words before its command.
    """

    directory: Path
    port: int = field(default_factory=free_port)
    password: str = ""
    settings: tuple[str, ...] = ()
    user: str = ""
    wrapper: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.directory / "redis.sock"

    @property
    def url(self) -> str:
        return self.url_of(self.user) if self.user else self._own_url

    @property
    def _own_url(self) -> str:
        credentials = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        """Return a client with all rights."""
        return Redis.from_url(self._own_url, socket_timeout=60)

    def url_of(self, user: str) -> str:
        """Return the address for a user created by ``allow``."""
        return f"redis://{user}:PASSWORD@127.0.0.1:{self.port}/0"

    def allow(self, user: str) -> None:
        """Create a user with exactly the rules that docs/redis.md gives it."""
        with self.client() as client:
            client.execute_command(*documented_rules()[user].split())

    def start(self) -> None:
        """Start it and wait for its first answer."""
        command = [*self.wrapper, "redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self.directory), "--unixsocket", str(self.socket)]
        command += ["--appendonly", "yes", "--appendfsync", "no", "--save", ""]
        command += ["--requirepass", self.password] if self.password else []
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.settings], stdout=log, stderr=log)
        with contextlib.closing(self.client()) as client:
            deadline = time.monotonic() + 60
            while True:
                try:
                    client.ping()
                    break
                except RedisError:
                    assert self.process.poll() is None, (self.directory / "redis.log").read_text()
                    assert time.monotonic() < deadline, "redis-server does not answer"
                    time.sleep(0.02)

        if self.user:
            self.allow(self.user)

    def refused(self) -> list[str]:
        """Return commands, keys and channels that users lacked the right for."""
        with self.client() as client:
            log = client.acl_log()
        return [str(entry["object"]) for entry in log if entry["reason"] != "auth"]

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def documented_rules() -> dict[str, str]:
    """Return the ``ACL SETUSER`` lines of docs/redis.md, by the user's name."""
    text = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    lines = re.findall(r"^ACL SETUSER .*", text, re.MULTILINE)
    return {line.split()[2]: line for line in lines}


@contextlib.contextmanager
def running_redis(
    *settings: str, password: str = "", user: str = "", wrapper: tuple[str, ...] = ()
) -> Iterator[RedisServer]:
    """Run a redis-server until the block ends; skip the test if there is none.

    If a user of docs/redis.md is given, the block fails if that user was refused anything.
    """
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server (Debian package redis-server)")
    directory = Path(tempfile.mkdtemp(prefix="lp-redis-"))
    server = RedisServer(
        directory, password=password, settings=settings, user=user, wrapper=wrapper
    )
    try:
        server.start()
        yield server
        if user and server.process is not None:
            assert not (refused := server.refused()), refused
    finally:
        server.kill()
        shutil.rmtree(directory)


@contextlib.contextmanager
def hanging(redis: RedisServer) -> Iterator[None]:
    """Suspend Redis: it answers nothing, and executes the requests later."""
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        redis.process.send_signal(signal.SIGCONT)
