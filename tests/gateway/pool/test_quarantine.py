"""Frames that two workers failed on are stored, limited in number and with mode 0600."""

from __future__ import annotations

import stat
import time
from pathlib import Path

from gateway.pool.quarantine import Quarantine
from shared.config.retention import RetentionSection
from shared.config.service import Config, TransportSection, WorkersSection
from tests.support.clock import SettableClock
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
    """In some places storing faces may be illegal."""
    quarantine(tmp_path, 0).store("ab", 1, b"x")
    assert not (tmp_path / "quarantine").exists()


def test_old_frames_are_removed(tmp_path: Path) -> None:
    """The outcome of the session is unknown here, so the longest of the three times applies."""
    clock = SettableClock(time.time())
    section = RetentionSection(accepted="2h", refused="3h", left="1h")
    transport = TransportSection(runtimeDirectory=str(tmp_path))
    keeper = Quarantine(Config(TRANSPORT=transport, RETENTION=section), clock=clock)
    keeper.maintain()  # the folder does not exist yet
    keeper.store("ab", 1, b"x")
    for hours, stays in ((2.9, True), (0.2, False)):
        clock.advance(hours * 3600)
        keeper.maintain()
        assert (tmp_path / "quarantine" / "ab-1").exists() is stays


def test_a_write_error_is_logged(tmp_path: Path) -> None:
    """It is not raised."""
    (tmp_path / "quarantine").write_text("no folder")
    quarantine(tmp_path).store("ab", 1, b"x")
