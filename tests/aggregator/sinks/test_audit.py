"""Audit writes one record per session, in a chain that survives kills and full disks."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.sinks import audit as module
from aggregator.sinks.audit import HEAD_SECONDS, Audit
from aggregator.sinks.audit_trail import files_of
from aggregator.sinks.events import SessionEnded
from lunapass.audit import ChainCheck, ChainReport, head_opener, missing_heads
from shared.config.luna_pass import JwtSection
from shared.config.plugins import AuditArgs
from shared.signing import Signer
from tests.support.clock import SettableClock
from tests.support.events import ended, judged

JWT = JwtSection.model_validate({"key": "k" * 32})
START = {"sub": "anna", "aud": "lunapass", "jti": "t-1"}
POLICY = {"digest": "d" * 64, "rules": "r" * 16, "models": "m" * 16, "plugins": []}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def make(tmp_path: Path, clock: SettableClock) -> Callable[..., Audit]:
    def make(**args: Any) -> Audit:
        return Audit(AuditArgs(path=str(tmp_path), **args), Signer(JWT), clock=clock)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the only chain."""
    return tmp_path / "0"


@pytest.fixture
def verify(folder: Path, clock: SettableClock) -> Callable[[], ChainReport]:
    return lambda: ChainCheck(folder, head_opener(JWT)).run(clock.wall())


def kill(audit: Audit) -> None:
    """End like a killed process: the kernel closes its files, and nothing else happens."""
    audit._trail.close()
    os.close(audit._lock)


def session(number: int, **changes: Any) -> SessionEnded:
    event = ended(number, 2)
    started = replace(event.info, opener="o" * 32, start=START)
    fields = {"policy": POLICY, "pixels": ((1, bytes(16)), (2, b"\x01" * 16)), **changes}
    return replace(event, info=started, **fields)


def lines(folder: Path) -> list[dict[str, Any]]:
    found = b"".join(path.read_bytes() for path in files_of(folder))
    return [json.loads(line) for line in found.splitlines()]


def test_a_record_states_session_verdict_and_policy(
    make: Callable[..., Audit], folder: Path, verify: Callable[[], ChainReport]
) -> None:
    """There is one per session despite repetitions; it has digests and no image."""
    for _ in range(2):
        audit = make()
        audit.write(judged(1, 1))
        audit.write(session(1))
        audit.write(session(1))
        audit.close()
    (record,) = [line for line in lines(folder) if line["event"] == "session"]
    assert (record["start"], record["opener"]) == (START, "o" * 32)
    assert record["policy"] == {name: POLICY[name] for name in ("digest", "rules", "models")}
    assert record["frames"] == [[1, "00" * 16], [2, "01" * 16]]
    assert (record["accepted"], record["errors"], len(record["token"])) == (True, [], 64)
    report = verify()
    assert (report.errors, report.notes, report.closed) == ([], [], True)
    assert oct(files_of(folder)[0].stat().st_mode)[-3:] == "600"


def test_a_head_is_signed_every_minute(
    make: Callable[..., Audit], clock: SettableClock, verify: Callable[[], ChainReport]
) -> None:
    """It is signed without sessions, too, so that truncation is noticed while the service runs."""
    audit = make()
    for _ in range(3):
        audit.maintain()
        audit.maintain()
        clock.advance(HEAD_SECONDS)
    assert len(verify().heads) == 3
    assert verify().errors == []
    clock.advance(3 * HEAD_SECONDS)
    assert "the end was cut" in verify().errors[0]
    audit.close()


def test_files_rotate_in_one_chain(
    make: Callable[..., Audit], folder: Path, verify: Callable[[], ChainReport]
) -> None:
    """The first record of a file continues the previous one; old files may be moved away."""
    audit = make(maxBytes=1_000_000)
    for number in range(200):
        audit.write(session(number, pixels=[(seq, bytes(16)) for seq in range(300)]))
    audit.close()
    assert len(files_of(folder)) == 3
    report = verify()
    assert (report.errors, report.notes) == ([], [])
    files_of(folder)[0].unlink()
    report = verify()
    assert (report.errors, len(report.notes)) == ([], 1)
    files_of(folder)[0].rename(folder / "000009.jsonl")
    assert "missing" in verify().errors[0]


@pytest.mark.parametrize("left", [b"", b'{"seq": 3, "prev"', None])
def test_the_chain_survives_a_killed_process(
    make: Callable[..., Audit],
    folder: Path,
    verify: Callable[[], ChainReport],
    left: bytes | None,
) -> None:
    """After a torn line, an empty file or neither, the chain continues and records the restart."""
    audit = make()
    audit.write(session(1))
    kill(audit)
    if left is None:
        (folder / "000002.jsonl").touch()
    else:
        with files_of(folder)[-1].open("ab") as file:
            file.write(left)
    assert verify().errors == []
    audit = make()
    audit.write(session(1))
    audit.write(session(2))
    audit.close()
    report = verify()
    assert report.errors == []
    assert any("incomplete" in note for note in report.notes) == bool(left)
    found = [line for path in files_of(folder) for line in path.read_bytes().split(b"\n")]
    assert sum(b'"session"' in line for line in found) == 2


def test_a_full_disk_loses_no_record(
    make: Callable[..., Audit],
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    verify: Callable[[], ChainReport],
) -> None:
    """Records wait in memory, the gateway is notified, and a partial line on disk is recognised."""
    audit = make()
    audit.write(session(1))
    write = os.write

    def fill(file: int, data: bytes) -> int:
        if len(data) < 100:
            return write(file, data)
        return write(file, data[:40])

    monkeypatch.setattr(os, "write", fill)
    for number in range(2, 5):
        audit.write(session(number))
        clock.advance(module.RETRY_SECONDS)
        audit.maintain()
    assert audit.disabled
    assert audit.waiting
    monkeypatch.setattr(os, "write", write)
    clock.advance(module.RETRY_SECONDS)
    audit.maintain()
    assert not audit.disabled
    assert audit.dropped == audit.waiting == 0
    audit.close()
    report = verify()
    assert report.errors == []
    text = b"".join(path.read_bytes() for path in files_of(folder))
    assert text.count(b'"event":"session"') == 4


def test_records_beyond_the_memory_are_counted(
    make: Callable[..., Audit],
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
    verify: Callable[[], ChainReport],
) -> None:
    """The chain itself states how many are missing."""
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    audit = make()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        for number in range(5):
            audit.write(session(number))
    assert audit.dropped == 3
    clock.advance(module.RETRY_SECONDS)
    audit.maintain()
    audit.close()
    assert verify().errors == []
    assert any("3 records were lost" in note for note in verify().notes)


def test_records_that_are_never_written_are_logged(
    make: Callable[..., Audit],
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No file shows that they are missing, if the disk is full until the process ends."""
    audit = make()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    for number in range(3):
        audit.write(session(number))
    audit.close()
    assert audit.dropped == 3
    (lost,) = (line for line in caplog.records if "RECORDS LOST" in line.message)
    assert lost.message.startswith("3 AUDIT RECORDS")
    assert lost.fields == {"sessions": [session(number).info.session for number in range(3)]}


def cut_last_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def edit(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b'"accepted":true', b'"accepted":false')


TAMPERING: dict[str, Callable[[list[bytes]], None]] = {
    "edited": edit,
    "removed": lambda lines: lines.remove(lines[2]),
    "reordered": lambda lines: lines.insert(1, lines.pop(2)),
    "repeated": lambda lines: lines.insert(2, lines[2]),
    "invented": lambda lines: lines.insert(2, b"{}\n"),
    "replaced by nothing": lambda lines: lines.__setitem__(2, b"\n"),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_is_detected(
    make: Callable[..., Audit], folder: Path, verify: Callable[[], ChainReport], how: str
) -> None:
    """Every change before the last signed head breaks the chain."""
    audit = make()
    for number in range(4):
        audit.write(session(number))
    audit.close()
    (path,) = files_of(folder)
    found = path.read_bytes().splitlines(keepends=True)
    TAMPERING[how](found)
    path.write_bytes(b"".join(found))
    assert verify().errors


def test_a_recomputed_chain_is_detected(
    make: Callable[..., Audit], folder: Path, verify: Callable[[], ChainReport]
) -> None:
    """The new heads cannot be signed without the key."""
    audit = make()
    audit.write(session(1))
    audit.close()
    shutil.rmtree(folder)
    signer = Signer(JwtSection.model_validate({"key": "x" * 32}))
    forged = Audit(AuditArgs(path=str(folder.parent)), signer)
    forged.write(session(2))
    forged.close()
    assert "signature is wrong" in verify().errors[0]


def test_a_truncated_chain_is_detected_by_the_logged_heads(
    make: Callable[..., Audit],
    folder: Path,
    verify: Callable[[], ChainReport],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This holds even if the service continued after the cut.

    A running service detects it in the chain, too.
    """
    caplog.set_level("INFO", logger=module.__name__)
    audit = make()
    audit.write(session(1))
    audit.close()
    logged = "\n".join(str(getattr(record, "fields", "")) for record in caplog.records)
    audit = make()
    assert list(missing_heads(logged, verify().heads, head_opener(JWT))) == []
    audit.write(session(2))
    path = files_of(folder)[-1]
    cut_last_line(path)
    audit.write(session(3))
    assert any("changed while the service ran" in error for error in verify().errors)
    kill(audit)
    for path in files_of(folder)[1:]:
        path.unlink()
    (path,) = files_of(folder)
    cut_last_line(path)
    audit = make()
    audit.close()
    assert verify().errors == []
    (missing,) = missing_heads(logged, verify().heads, head_opener(JWT))
    assert "records were removed" in missing
