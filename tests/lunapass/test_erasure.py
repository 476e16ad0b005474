"""``lunapass erase`` leaves no byte of a session in any store, and a mark in the audit."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from aggregator.sinks.audit import Audit
from aggregator.sinks.callbacks import Callbacks
from aggregator.sinks.file_logger import FileLogger
from aggregator.sinks.spool import Spool
from aggregator.sinks.video import AddFrame, pack
from aggregator.sinks.video_redis import VideoRedis
from gateway.pool.quarantine import Quarantine
from gateway.sessions.store_scripts import keys
from lunapass.audit import ChainCheck, head_opener, records
from lunapass.cli import cli
from shared.config.loading import load
from shared.config.service import Config
from shared.errors import ConfigError
from shared.frame.checks import Rules
from shared.signing import Signer
from shared.video_store import StoredFrame
from tests.support.events import ended, judged
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, running_redis

PEOPLE = {"anna": 1, "berta": 2}
TEN_DAYS = 864_000.0


def face(person: str) -> bytes:
    """Return the marker of a person's image that must be found nowhere afterwards."""
    return b"\xff\xd8" + bytes(100) + f"FACE-OF-{person}".encode() * 20


def session_of(person: str) -> str:
    return f"{PEOPLE[person]:032x}"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path, redis: RedisServer) -> Path:
    """A configuration whose stores are all in one folder and in one Redis."""
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    path = tmp_path / "config.toml"
    path.write_text(f"""
[LUNA_PASS.JWT]
key = "{"k" * 64}"
[TRANSPORT]
runtimeDirectory = "{tmp_path}/run"
[SESSION_STORE]
connectionString = "{redis.url}"
[MIDDLEWARES.WS.FileLogger]
isEnabled = 1
args.path = "{tmp_path}/logs"
[MIDDLEWARES.WS.VideoRedis]
isEnabled = 1
args.connectionString = "{redis.url}"
args.spoolPath = "{tmp_path}/spool"
[MIDDLEWARES.WS.Callbacks]
isEnabled = 1
args.url = "http://127.0.0.1:{free_port()}/"
args.key = "{"c" * 64}"
args.queuePath = "{tmp_path}/callbacks"
[MIDDLEWARES.WS.Audit]
isEnabled = 1
args.path = "{tmp_path}/audit"
""")
    (tmp_path / "lunapassvideo.config.toml").write_text(
        f'[VIDEO]\ndirectory = "{tmp_path}/videos"\n'
    )
    return path


def fill(config: Config, redis: Redis, folder: Path) -> None:
    """Write a session of each person to each store, by the product's own writers."""
    ws = config.MIDDLEWARES.WS
    sinks = [
        FileLogger(ws.FileLogger.args),
        VideoRedis(ws.VideoRedis.args, Rules(), 100.0),
        Callbacks(ws.Callbacks.args),
        Audit(ws.Audit.args, Signer(config.LUNA_PASS.JWT)),
    ]
    (folder / "videos").mkdir()
    (folder / "run").mkdir(mode=0o700)
    for person in PEOPLE:
        _write_session(sinks, person)
        session = session_of(person)
        for name in (f"{session}.mp4", f"{session}.json", f".{session}.mp4.part"):
            (folder / "videos" / name).write_bytes(face(person))
        redis.hset(keys(session)[0], "state", face(person))
        redis.rpush(keys(session)[1], face(person))
        Quarantine(config).store(session, 3, face(person))
    for sink in sinks:
        sink.close()
    spool = Spool(Path(ws.VideoRedis.args.spoolPath), 10_000_000)
    for person in PEOPLE:
        frame = StoredFrame(9, 1.0, face(person), {})
        assert spool.append(pack(AddFrame(session_of(person), frame)))
    spool.close()


def _write_session(sinks: list[Any], person: str) -> None:
    number = PEOPLE[person]
    info = replace(judged(number, 1).info, at=number * TEN_DAYS, start={"sub": person})
    token = face(person)[110:].decode()
    body = {"command": "RESULT", "headers": {}, "body": {"isOk": True, "jwt": token, "errors": []}}
    end = replace(ended(number, 1), info=info, result=json.dumps(body).encode())
    for sink in sinks:
        sink.write(replace(judged(number, 1, face(person)), info=info))
        sink.write(end)


def stored(folder: Path, redis: Redis, person: str) -> list[str]:
    """Return every file and key outside the audit that contains a byte of a person's image."""
    found = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and f"FACE-OF-{person}".encode() in path.read_bytes()
    ]
    for key in redis.keys("*"):
        if f"FACE-OF-{person}".encode() in (redis.dump(key) or b"") or _has(redis, key, person):
            found.append(key.decode())
    return found


def _has(redis: Redis, key: bytes, person: str) -> bool:
    kind = redis.type(key)
    values: Any = ()
    if kind == b"hash":
        values = redis.hgetall(key)
    elif kind == b"stream":
        values = redis.xrange(key)
    elif kind == b"list":
        values = redis.lrange(key, 0, -1)
    return f"FACE-OF-{person}" in str(values)


def erase(file: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["erase", "--config", str(file), *options])


CHOICES = {
    "session": ("--session", session_of("anna")),
    "subject": ("--subject", "anna"),
    "before": ("--before", "1970-01-16"),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_no_store_has_a_byte_of_the_person(
    file: Path, tmp_path: Path, redis: RedisServer, choice: str
) -> None:
    """Every store still has the other person's data."""
    config = load(file)
    with contextlib.closing(redis.client()) as client:
        fill(config, client, tmp_path)
        os.utime(tmp_path / "videos" / f"{session_of('anna')}.mp4", (TEN_DAYS, TEN_DAYS))
        kept = stored(tmp_path, client, "berta")
        assert len(kept) == len(stored(tmp_path, client, "anna")) == 10
        jobs = [key for key in client.keys("rq:job:*") if session_of("anna").encode() in key]
        assert len(jobs) == 1
        done = erase(file, *CHOICES[choice])
        assert done.exit_code == 0, done.output
        assert stored(tmp_path, client, "anna") == []
        assert stored(tmp_path, client, "berta") == kept
        assert not client.exists(*jobs)
    trail = [r for r in records(tmp_path / "audit") if r.get("session") == session_of("anna")]
    assert [record["event"] for record in trail] == ["session", "erased"]
    assert len(trail[1]["stores"]) == 7
    for chain in (tmp_path / "audit").iterdir():
        assert ChainCheck(chain, head_opener(config.LUNA_PASS.JWT)).run(0.0).errors == []


def test_an_unreachable_store_is_an_error(file: Path, tmp_path: Path) -> None:
    """The other stores are erased, and the mark names the store that may still have data."""
    text = file.read_text()
    config = load(file)
    audit = Audit(config.MIDDLEWARES.WS.Audit.args, Signer(config.LUNA_PASS.JWT))
    _write_session([audit], "anna")
    audit.close()
    for folder in ("logs", "spool", "callbacks", "videos"):
        (tmp_path / folder).mkdir()
    (tmp_path / "videos" / f"{session_of('anna')}.mp4").write_bytes(face("anna"))
    file.write_text(re.sub(r'redis://[^"]*', f"redis://127.0.0.1:{free_port()}", text))
    done = erase(file, "--subject", "anna")
    assert done.exit_code == 1
    assert "something may be left" in done.output
    mark = list(records(tmp_path / "audit"))[-2]
    assert mark["event"] == "erased"
    assert mark["stores"] == ["videos"]
    assert mark["failed"] == ["Redis", "session store"]


@pytest.mark.parametrize("name", ["../logs", "*", "0" * 31, ""])
def test_only_a_session_id_is_accepted(file: Path, name: str) -> None:
    """No other text becomes a path or a pattern."""
    done = erase(file, "--session", name)
    assert isinstance(done.exception, ConfigError)


def test_what_is_not_searched_is_named(file: Path, tmp_path: Path) -> None:
    """A store of a plugin that is off may still have data; a person may have no session here."""
    for folder in ("logs", "callbacks", "audit", "videos"):
        (tmp_path / folder).mkdir()
    text, section = file.read_text(), "[MIDDLEWARES.WS.VideoRedis]\nisEnabled = 1"
    assert section in text
    file.write_text(text.replace(section, section.replace("1", "0")))
    done = erase(file, "--subject", "stranger")
    assert done.exit_code == 0, done.output
    assert "not searched: Redis of the videos: [MIDDLEWARES.WS.VideoRedis] is off" in done.output
    assert "no session found" in done.output


def test_nothing_is_chosen_by_default(file: Path) -> None:
    """A missing option never means all sessions."""
    assert erase(file).exit_code == 2


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of an installed service, whose paths are relative, as by default."""
    for constant, name in (
        ("CONFIG_FOLDER", "etc"),
        ("WORKING_DIRECTORY", "var"),
        ("RUNTIME_DIRECTORY", "run"),
    ):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(f"lunapass.installed.{constant}", tmp_path / name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = tmp_path / "etc" / "lunapassapi.config.toml"
    path.write_text(f"""
[LUNA_PASS.JWT]
key = "{"k" * 64}"
[MIDDLEWARES.WS.FileLogger]
isEnabled = 1
[MIDDLEWARES.WS.Audit]
isEnabled = 1
""")
    (tmp_path / "etc" / "lunapassvideo.config.toml").touch()
    return path


def stored_files(folder: Path) -> list[Path]:
    """Write a file of anna's session to the stores below an installed service's folders."""
    session = session_of("anna")
    files = [
        folder / f"var/LOGS/{session}/1.jpg",
        folder / f"var/CALLBACKS/0/{session}.json",
        folder / f"var/VIDEOS/{session}.mp4",
        folder / f"run/quarantine/{session}-3",
        folder / f"run/1/quarantine/{session}-4",  # of a cell
    ]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_bytes(face("anna"))
    (folder / "var/AUDIT").mkdir()
    return files


def test_the_folders_of_the_installed_service_are_found(installed: Path, tmp_path: Path) -> None:
    """Its units have their own working and runtime directory, wherever the command runs."""
    files = stored_files(tmp_path)
    done = erase(installed, "--session", session_of("anna"))
    assert done.exit_code == 0, done.output
    assert not [file for file in files if file.exists()]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_folders_of_another_service_can_be_given(installed: Path, tmp_path: Path) -> None:
    """Its configuration lies in another folder than that of the units."""
    files = stored_files(tmp_path)
    other = (tmp_path / "etc").rename(tmp_path / "own") / installed.name
    folders = ("--directory", str(tmp_path / "var"), "--runtime-directory", str(tmp_path / "run"))
    done = erase(other, *folders, "--session", session_of("anna"))
    assert done.exit_code == 0, done.output
    assert not [file for file in files if file.exists()]


def test_a_missing_folder_of_an_enabled_store_is_an_error(installed: Path, tmp_path: Path) -> None:
    """What is not there may be elsewhere; nothing is reported as erased or removed."""
    files = stored_files(tmp_path)
    other = (tmp_path / "etc").rename(tmp_path / "own") / installed.name
    done = erase(other, "--session", session_of("anna"))
    assert done.exit_code == 1
    place = tmp_path / "elsewhere"
    for fault in (
        f"[MIDDLEWARES.WS.FileLogger] args.path: {place / 'LOGS'}: no such folder",
        f"[MIDDLEWARES.WS.Audit] args.path: {place / 'AUDIT'}: no such folder",
        f"[TRANSPORT] runtimeDirectory: {place / 'run'}: no such folder",
        "--directory",
    ):
        assert fault in done.output
    assert "nothing stored" not in done.output
    assert all(file.exists() for file in files)


def test_a_folder_that_cannot_be_listed_is_an_error(installed: Path, tmp_path: Path) -> None:
    """A search would find nothing in it, without an error."""
    stored_files(tmp_path)
    (tmp_path / "var" / "CALLBACKS").rename(tmp_path / "var" / "OLD")
    (tmp_path / "var" / "CALLBACKS").touch()
    done = erase(installed, "--session", session_of("anna"))
    assert done.exit_code == 1
    assert "[MIDDLEWARES.WS.Callbacks] args.queuePath" in done.output


def test_the_installed_service_s_audit_shows_the_erasure(installed: Path, tmp_path: Path) -> None:
    """Its folder is found, too, wherever the command runs."""
    stored_files(tmp_path)
    erase(installed, "--session", session_of("anna"))
    options = ["audit", "show", "--config", str(installed), session_of("anna")]
    shown = CliRunner().invoke(cli, options)
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["event"] == "erased"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")
def test_the_service_can_write_the_audit_of_an_erasure_by_root(
    installed: Path, tmp_path: Path
) -> None:
    """A file of root's would keep the service from continuing the chain."""
    stored_files(tmp_path)
    os.chown(tmp_path / "var" / "AUDIT", 65534, 65534)
    done = erase(installed, "--session", session_of("anna"))
    assert done.exit_code == 0, done.output
    written = list((tmp_path / "var" / "AUDIT").rglob("*"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(65534, 65534)}
    assert os.geteuid() == os.getegid() == 0
