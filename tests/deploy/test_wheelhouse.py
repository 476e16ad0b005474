"""The archive for machines without a network."""

from __future__ import annotations

import configparser
from pathlib import Path

from deploy.wheelhouse import EXAMPLES, copy_examples, pack
from tests.support.service import ROOT


def test_dashboard_and_alert_rules_are_in_archive_and_wheel(tmp_path: Path) -> None:
    """The configurations of proxies are, too: setup.cfg names each of these files."""
    copy_examples(tmp_path / "examples")
    files = {str(path.relative_to(tmp_path / "examples")) for path in tmp_path.rglob("*.*")}
    assert {"grafana/lunapass.json", "prometheus/lunapass.rules.yml"} <= files
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]["deploy"].split(", ")
    assert {f"{name}/*" for name in EXAMPLES} <= set(patterns)


def test_the_archive_is_reproducible(tmp_path: Path) -> None:
    """It does not depend on the builder's umask or the time; programs stay executable."""
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
