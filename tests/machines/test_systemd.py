"""The units under a real systemd: sandboxed, watched, restarted, reloaded, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunapass_client import Client
from shared.wire.protocol import CloseCode, Command
from tests.machines.machine import CONFIG, LOG_FILE, PYTHON, SOURCE, Machine, booted, wait_until
from tests.support.memory import found_in, shown_of
from tests.support.redis_server import running_redis
from tests.support.service import KEY, ROOT
from tests.support.stamp import stamped_jpeg
from tests.support.video import enqueue, session_frames, store

PROGRAM = f"{PYTHON} -m lunapass"
AGGREGATOR, GATEWAY = "lunapass-aggregator@0.service", "lunapass-gateway@0.service"
PARTS = "lunapass-config.service"
OWN_PART = "/run/lunapass-part/part.json"
CLOSED = [
    CONFIG,
    "/run/lunapass-config/whole/lunapassapi.config.toml",
    *(f"/run/lunapass-config/{role}/part.json" for role in ("gateway", "worker", "aggregator")),
]
"""Files that no role's unit may read."""
SOCKET = "lunapass-gateway@0.socket"
WORST_EXPOSURE = 2.0
REAL_MODELS = (ROOT / "models/yunet_s_320_320.onnx").exists()
TOO_LARGE = "[LIVENESS.THRESHOLDS]\nfaceWidth = 300"
"""A threshold that the test's faces, 200 pixels wide, fail with code 12."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted(tmp_path_factory.mktemp("etc")) as started:
        started.configure()
        started.lunapass("install-units", "--config", CONFIG, "--program", PROGRAM)
        started.systemctl("daemon-reload")
        try:
            yield started
        finally:
            print(started.log())


@pytest.fixture(autouse=True)
def running(machine: Machine) -> None:
    """Start each test with the installed service, whatever the previous test left."""
    machine.configure()
    machine.systemctl("stop", "lunapassapi.socket", "lunapassapi.service")  # it uses the port
    machine.run("systemctl", "reset-failed", check=False)
    machine.systemctl("start", "lunapass.target")
    wait_until(machine.ready, "the service")


def worker(machine: Machine) -> str:
    listed = machine.systemctl("list-units", "--plain", "--no-legend", "lunapass-worker@*")
    return listed.split()[0]


async def ended_well(client: Client) -> bool:
    """Send a live frame; return whether the verdict is a success."""
    await client.send_frame(stamped_jpeg(1, 50))
    answers = [answer async for answer in client.answers()]
    assert client.close_code == CloseCode.VERDICT, answers
    return answers[-1].command is Command.RESULT and answers[-1].body["isOk"]


async def reload(machine: Machine, *, is_valid: bool = True) -> None:
    """Reload the configuration, and wait until each role has done so.

    Roles also reload after an invalid configuration, but their parts are the same as before.
    """

    def reloads() -> int:
        return machine.log().count("configuration reloaded")

    before = reloads()
    done = machine.run("systemctl", "reload", PARTS, check=False)
    refused = "failed" in done
    assert refused != is_valid, done + machine.run("systemctl", "status", PARTS, check=False)
    await asyncio.to_thread(wait_until, lambda: reloads() == before + 3, "the reload of all roles")


async def until_back(machine: Machine, unit: str, before: int) -> None:
    await asyncio.to_thread(wait_until, lambda: machine.restarted(unit, before), unit)
    await asyncio.to_thread(wait_until, machine.ready, "the service")


def test_the_units_are_clean(machine: Machine) -> None:
    """``systemd-analyze verify`` reports nothing."""
    units = ["lunapass.target", SOCKET, PARTS, AGGREGATOR, GATEWAY, worker(machine)]
    others = ["lunapass-video@1.service", "lunapassapi.socket", "lunapassapi.service"]
    assert machine.run("systemd-analyze", "verify", *units, *others).strip() == ""


def test_the_units_are_sandboxed(machine: Machine) -> None:
    """Every service is rated 2.0 or better by ``systemd-analyze security``."""
    units = [
        PARTS,
        AGGREGATOR,
        GATEWAY,
        worker(machine),
        "lunapass-video@1.service",
        "lunapassapi.service",
    ]
    for unit in units:
        report = machine.run("systemd-analyze", "security", "--no-pager", unit)
        rated = re.search(r"exposure level for \S+: ([\d.]+)", report)
        assert rated, report
        print(rated[0])
        assert float(rated[1]) <= WORST_EXPOSURE


async def test_a_session_succeeds(machine: Machine) -> None:
    """Gateway, worker and aggregator reach each other through their sandboxes."""
    async with Client(machine.url) as client:
        assert await ended_well(client)


def test_all_units_write_to_the_log_file(machine: Machine) -> None:
    """Their sandboxes allow ``logFile`` below /var/log/lunapass, which only they may read."""
    lines = machine.run("cat", LOG_FILE).splitlines()
    roles = {json.loads(line)["role"].partition("-")[0] for line in lines}
    assert roles == {"gateway", "worker", "aggregator"}
    assert machine.run("stat", "--format=%a %U", LOG_FILE).split() == ["600", "lunapass"]


@pytest.mark.parametrize("role", ["worker", "aggregator", "gateway"])
async def test_a_killed_unit_is_restarted_and_the_session_continues(
    machine: Machine, role: str
) -> None:
    """After SIGKILL to any unit systemd starts it again, and the session gets its verdict."""
    unit = {"worker": worker(machine), "aggregator": AGGREGATOR, "gateway": GATEWAY}[role]
    before = int(machine.show(unit, "NRestarts"))
    async with Client(machine.url) as client:
        await client.send_frame(stamped_jpeg(1, 1))
        assert (await client.receive()).seq == 1
        machine.kill(unit, "SIGKILL")
        await until_back(machine, unit, before)
        if role != "gateway":
            assert await ended_well(client)
            return
    resumed = Client(machine.url, session_id=client.session_id, resume_token=client.resume_token)
    async with resumed as again:
        assert again.connected is not None
        assert again.connected.headers["seq"] == 1
        assert await ended_well(again)


async def test_the_watchdog_ends_a_suspended_worker(machine: Machine) -> None:
    """A worker that is stopped (SIGSTOP) is killed by the watchdog and started again."""
    unit = worker(machine)
    before = int(machine.show(unit, "NRestarts"))
    machine.kill(unit, "SIGSTOP")
    await until_back(machine, unit, before)
    assert "Fatal Python error: Aborted" in machine.log()  # systemd asked it for a backtrace


async def test_a_reload_applies_new_thresholds_and_drops_no_session(machine: Machine) -> None:
    """An open session's next frames are judged by the new file; an invalid file has no effect."""
    pid = machine.show(GATEWAY, "MainPID")
    try:
        async with Client(machine.url) as client:
            await client.send_frame(stamped_jpeg(1, 1))
            assert 12 not in (await client.receive()).body["errors"]
            machine.configure(TOO_LARGE)
            await reload(machine)
            await client.send_frame(stamped_jpeg(1, 2))
            assert (await client.receive()).body["errors"] == [12]
            machine.configure("[LIVENESS.THRESHOLDS]\nfaceWidth = -1")
            await reload(machine, is_valid=False)
            assert "faceWidth is -1" in machine.log()
            await client.send_frame(stamped_jpeg(1, 3))
            assert (await client.receive()).body["errors"] == [12]
            machine.configure()
            await reload(machine)
            assert await ended_well(client)
    finally:
        machine.configure()
    assert machine.show(GATEWAY, "MainPID") == pid


async def test_an_edit_without_a_reload_is_not_used(machine: Machine) -> None:
    """A role that is restarted uses the same configuration as the others."""
    unit = worker(machine)
    before = int(machine.show(unit, "NRestarts"))
    try:
        machine.configure(TOO_LARGE)
        machine.kill(unit, "SIGKILL")
        await until_back(machine, unit, before)
        machine.systemctl("restart", AGGREGATOR)
        await asyncio.to_thread(wait_until, machine.ready, "the service")
        async with Client(machine.url) as client:
            assert await ended_well(client)
    finally:
        machine.configure()


async def test_roles_reach_each_other_after_a_reload_and_a_restart(machine: Machine) -> None:
    """A role that starts after a reload has the running ones' keys; a restart replaces all."""
    await reload(machine)
    before = int(machine.show(AGGREGATOR, "NRestarts"))
    machine.kill(AGGREGATOR, "SIGKILL")
    await until_back(machine, AGGREGATOR, before)
    units = (GATEWAY, worker(machine), AGGREGATOR)
    pids = [machine.show(unit, "MainPID") for unit in units]
    machine.systemctl("restart", PARTS)
    await asyncio.to_thread(wait_until, machine.ready, "the service")
    for unit, pid in zip(units, pids, strict=True):
        assert machine.show(unit, "MainPID") not in (pid, "0")
    async with Client(machine.url) as client:
        assert await ended_well(client)


def test_only_the_aggregator_can_read_the_key(machine: Machine) -> None:
    """It is not in another role's memory, environment, command line or readable files."""
    (machine.etc / "lunapassapi.config.toml").chmod(0o600)
    for unit in (GATEWAY, worker(machine), AGGREGATOR):
        pid = machine.pid_of(unit)
        assert bool(found_in(pid, [KEY.encode()])) == (unit == AGGREGATOR)
        for name in ("environ", "cmdline"):
            assert KEY.encode() not in shown_of(pid, name)
        said = machine.as_unit(unit, "cat", OWN_PART, *CLOSED)
        assert (KEY in said) == (unit == AGGREGATOR)
        assert said.count("Permission denied") == len(CLOSED)
        # In /proc a process with hidden memory belongs to root, so other processes cannot read it.
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0


async def test_a_restart_refuses_no_connection(machine: Machine) -> None:
    """All clients that connect during a gateway's restart are served."""
    restart = asyncio.create_task(asyncio.to_thread(machine.systemctl, "restart", GATEWAY))
    served = 0
    while not restart.done() or served < 20:
        with contextlib.suppress(TimeoutError):  # a client may give up on a busy machine
            async with Client(machine.url) as client:
                assert client.connected is not None
                assert client.connected.command is Command.CONNECTED
                served += 1
    await restart
    assert machine.show(GATEWAY, "Result") == "success"


async def test_a_stop_waits_for_running_sessions(machine: Machine) -> None:
    """Stopping everything stops the gateway first, which waits for its sessions."""
    async with Client(machine.url) as client:
        await client.send_frame(stamped_jpeg(1, 1))
        await client.receive()
        stop = asyncio.create_task(asyncio.to_thread(machine.systemctl, "stop", "lunapass.target"))
        await asyncio.to_thread(
            wait_until, lambda: machine.show(GATEWAY, "SubState") == "stop-sigterm", "the drain"
        )
        assert machine.active(AGGREGATOR)
        assert await ended_well(client)
    await stop
    for unit in (GATEWAY, AGGREGATOR):
        await asyncio.to_thread(wait_until, lambda unit=unit: machine.inactive(unit), "the end")
        assert machine.show(unit, "Result") == "success"


@pytest.mark.parametrize("codec", ["H265", "H264", "VP9"])
def test_a_video_worker_is_watched(machine: Machine, codec: str) -> None:
    """It makes videos in its sandbox, reports that it is ready, and is back after SIGKILL."""
    unit = "lunapass-video@1.service"
    before = int(machine.show(unit, "NRestarts"))
    with running_redis() as redis:
        (machine.etc / "lunapassvideo.config.toml").write_text(
            f'[REDIS]\nconnectionString = "{redis.url}"\n[VIDEO]\ncodec = "{codec}"\n[WORKER]\n'
            f'leaseSeconds = 3\ntask = "{SOURCE}/config/lunapassvideo.task.py"\n'
        )
        machine.systemctl("start", unit)
        assert machine.active(unit)
        machine.kill(unit, "SIGKILL")
        wait_until(lambda: machine.restarted(unit, before), unit)
        store(redis.client(), codec, session_frames(3))
        job = enqueue(redis.client(), codec)
        wait_until(lambda: job.get_status() == "finished", "the video")
        machine.systemctl("stop", unit)
        assert machine.show(unit, "Result") == "success"


async def test_one_unit_runs_all_roles(machine: Machine) -> None:
    """The supervisor of the single unit starts all roles, with the real models if available.

    It does not need a configuration that its user can read either.
    """
    settings = f'[MODELS]\ndirectory = "{SOURCE}/models"'
    machine.configure(settings)
    if REAL_MODELS:
        path = machine.etc / "lunapassapi.config.toml"
        path.write_text(path.read_text().replace("tests.support.stamp:StampBackend", "onnx"))
    machine.systemctl("stop", "lunapass.target")
    for unit in (GATEWAY, SOCKET):
        await asyncio.to_thread(wait_until, lambda unit=unit: machine.inactive(unit), "the end")
    (machine.etc / "lunapassapi.config.toml").chmod(0o600)
    before = machine.log().count("configuration reloaded")
    machine.systemctl("start", "lunapassapi.service")
    assert machine.active("lunapassapi.socket")
    await asyncio.to_thread(wait_until, machine.ready, "the service")
    async with Client(machine.url) as client:
        await client.send_frame(stamped_jpeg(1, 50))
        errors = (await client.receive()).body["errors"]
    assert errors == ([8] if REAL_MODELS else [])
    machine.configure(f"{settings}\n{TOO_LARGE}")
    machine.systemctl("reload", "lunapassapi.service")
    assert machine.active("lunapassapi.service")
    await asyncio.to_thread(
        wait_until, lambda: machine.log().count("configuration reloaded") == before + 3, "a reload"
    )
    machine.systemctl("stop", "lunapassapi.service")
    assert "No such file" in machine.run("ls", "/run/lunapassapi-config", check=False)
    assert machine.show("lunapassapi.service", "Result") == "success"
