"""A private folder belongs to this user and is closed to all others, or it is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared.errors import ResourceError
from shared.process.private import private_directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_created_for_this_user_alone(tmp_path: Path) -> None:
    """Its mode is 0700, whatever the umask."""
    before = os.umask(0)
    try:
        assert mode(private_directory(tmp_path / "new", "KEY")) == 0o700
    finally:
        os.umask(before)


def test_permissions_of_an_existing_folder_are_corrected(tmp_path: Path) -> None:
    """Others lose their access."""
    (tmp_path / "open").mkdir(mode=0o777)
    assert mode(private_directory(tmp_path / "open", "KEY")) == 0o700


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    """Another user may have created it, to read the contents."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResourceError, match="KEY"):
        private_directory(tmp_path / "link", "KEY")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner could replace its content."""
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65_534, 65_534)
    with pytest.raises(ResourceError, match="65534"):
        private_directory(tmp_path / "theirs", "KEY")


def test_a_missing_parent_folder_is_an_error(tmp_path: Path) -> None:
    """It is not created: a misspelled path could fill a disk instead of memory."""
    with pytest.raises(ResourceError, match="No such file"):
        private_directory(tmp_path / "missing" / "new", "KEY")
    private_directory(tmp_path / "missing" / "new", "KEY", parents=True)
