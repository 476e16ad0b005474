"""The archive for machines without network."""

from __future__ import annotations

from pathlib import Path

from deploy.wheelhouse import pack


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    """Neither the maker's umask nor the time gets into the archive; what is a program stays one."""
    packed = []
    for mask in (0o077, 0o002):
        root = tmp_path / str(mask) / "archive"
        root.mkdir(parents=True, mode=0o777 & ~mask)
        (root / "model").write_text("weights")
        (root / "model").chmod(0o666 & ~mask)
        (root / "install.sh").write_text("#!/bin/sh")
        (root / "install.sh").chmod(0o777 & ~mask)
        packed.append(pack(root, tmp_path / str(mask)).read_bytes())
    assert packed[0] == packed[1]
