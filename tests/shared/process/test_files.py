"""Files are written atomically."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared.process.files import remove_unfinished, write_atomically


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    """No unfinished file is left beside it."""
    path = tmp_path / "answer.json"
    for content in (b"first", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_given_mode_is_set(tmp_path: Path, mode: int) -> None:
    """The umask and the mode of an existing file do not matter."""
    path = tmp_path / "part.json"
    path.touch(mode=0o640)
    before = os.umask(0o077)
    try:
        write_atomically(path, b"secret", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_failed_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The synchronisation fails, and the unfinished file is removed."""
    path = tmp_path / "answer.json"
    write_atomically(path, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_and_folder_are_synchronised_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the content, then the rename, then the folder."""
    path = tmp_path / "answer.json"
    synchronised: list[tuple[str, bool]] = []

    def record(descriptor: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synchronised.append(("folder" if target == tmp_path else "content", path.exists()))

    monkeypatch.setattr(os, "fsync", record)
    write_atomically(path, b"content")
    assert synchronised == [("content", False), ("folder", True)]


def test_unfinished_files_of_a_dead_process_are_removed(tmp_path: Path) -> None:
    """Finished files stay."""
    path = tmp_path / "answer.json"
    write_atomically(path, b"content")
    (tmp_path / "answer.json.4711.new").write_bytes(b"cont")
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
