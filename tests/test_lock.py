"""The locked versions are those that are here, and any Python that setup.cfg allows takes them."""

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
    """Lower bound of python_requires."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    bounds = SpecifierSet(config["options"]["python_requires"])
    (oldest,) = [bound.version for bound in bounds if bound.operator == ">="]
    return oldest


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """Locked versions by name, of the distributions that are here; most are."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}
    assert len(pins) == len(lines)
    here = {name: version for name, version in pins.items() if name in INSTALLED}
    assert len(here) > 0.8 * len(pins)
    return here


def test_what_is_installed_is_what_is_locked(locked: dict[str, str]) -> None:
    """Tests of other versions would prove nothing for who installs by the lock."""
    assert {name: INSTALLED[name].version for name in locked} == locked


def test_the_oldest_python_takes_all_that_is_locked(locked: dict[str, str]) -> None:
    """Without this, ``make demo`` fails where Python is not of the newest patch level."""
    wanted = {name: INSTALLED[name].metadata.get("Requires-Python", "") for name in locked}
    assert sum(map(bool, wanted.values())) > 50
    oldest = oldest_python()
    assert {name: text for name, text in wanted.items() if oldest not in SpecifierSet(text)} == {}
