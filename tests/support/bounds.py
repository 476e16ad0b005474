"""Upper bounds of the packages whose internals the product uses."""

from __future__ import annotations

import configparser
from importlib import metadata

from packaging.requirements import Requirement

from tests.support.service import ROOT


def assert_next_major_is_excluded(package: str) -> None:
    """Check that setup.cfg admits the installed version, and no next major version."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    needs = map(Requirement, config["options"]["install_requires"].split())
    (bound,) = (need.specifier for need in needs if need.name == package)
    version = metadata.version(package)
    assert version in bound
    assert f"{int(version.partition('.')[0]) + 1}.0" not in bound
