"""The locked versions are those installed, and any Python allowed by setup.cfg can install them."""

from __future__ import annotations

from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
INSTALLED = {canonicalize_name(found.name): found for found in distributions()}


def oldest_python() -> str:
    """Return the lower bound of python_requires."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    bounds = SpecifierSet(config["options"]["python_requires"])
    (oldest,) = [bound.version for bound in bounds if bound.operator == ">="]
    return oldest


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """Return the locked versions, by name, of the installed distributions (most of all)."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}
    assert len(pins) == len(lines)
    here = {name: version for name, version in pins.items() if name in INSTALLED}
    assert len(here) > 0.8 * len(pins)
    return here


def test_installed_versions_are_the_locked_ones(locked: dict[str, str]) -> None:
    """Tests of other versions would prove nothing for users of the lock file."""
    assert {name: INSTALLED[name].version for name in locked} == locked


def test_the_oldest_python_can_install_all_locked_versions(locked: dict[str, str]) -> None:
    """Otherwise ``make demo`` fails if Python does not have the newest patch level."""
    wanted = {name: INSTALLED[name].metadata.get("Requires-Python", "") for name in locked}
    assert sum(map(bool, wanted.values())) > 50
    oldest = oldest_python()
    assert {name: text for name, text in wanted.items() if oldest not in SpecifierSet(text)} == {}
