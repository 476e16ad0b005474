"""Frames that two workers failed on are stored, bounded in number and with mode 0600."""

from __future__ import annotations

import stat
from pathlib import Path

from gateway.pool.quarantine import Quarantine
from shared.config.service import Config, TransportSection, WorkersSection
from tests.support.log import logged


def quarantine(tmp_path: Path, frames: int = 3) -> Quarantine:
    transport = TransportSection(runtimeDirectory=str(tmp_path))
    return Quarantine(Config(TRANSPORT=transport, WORKERS=WorkersSection(quarantineFrames=frames)))


def test_a_frame_is_stored_unchanged(tmp_path: Path) -> None:
    """The bytes, under session and number, mode 0600 in a folder of mode 0700."""
    with logged("gateway.pool.quarantine") as lines:
        quarantine(tmp_path).store("ab", 7, b"picture")
    assert [(line["session"], line["seq"]) for line in lines] == [("ab", 7)]
    path = tmp_path / "quarantine" / "ab-7"
    assert path.read_bytes() == b"picture"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_the_newest_stay(tmp_path: Path) -> None:
    """An attacker cannot fill the disk."""
    keeper = quarantine(tmp_path)
    for seq in range(10):
        keeper.store("ab", seq, b"x")
    assert {path.name for path in (tmp_path / "quarantine").iterdir()} == {"ab-7", "ab-8", "ab-9"}


def test_no_frame_is_stored_with_a_limit_of_0(tmp_path: Path) -> None:
    """Storing faces may be illegal in some places."""
    quarantine(tmp_path, 0).store("ab", 1, b"x")
    assert not (tmp_path / "quarantine").exists()


def test_a_disk_that_refuses_is_survived(tmp_path: Path) -> None:
    """The error is logged and not raised."""
    (tmp_path / "quarantine").write_text("no folder")
    quarantine(tmp_path).store("ab", 1, b"x")
