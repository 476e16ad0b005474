"""``lunapass config parts`` writes each role's part to its own folder, at start and reload."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunapass.commands.config import command
from shared.config.generation import with_transport_keys
from shared.config.handover import PartFile
from shared.config.loading import load
from shared.config.service import Config
from shared.errors import ConfigError, ResourceError
from shared.wire.curve import write_keys
from shared.wire.lines import ROLES

KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    write(path)
    return path


def write(file: Path, settings: str = "", key: str = KEY) -> None:
    file.write_text(f'[LUNA_PASS.JWT]\nkey = "{key}"\n{settings}')
    file.chmod(0o600)


def parts(file: Path, *options: str) -> Result:
    arguments = ["parts", str(file.parent / "parts"), "--config", str(file), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def part(file: Path, role: str) -> Config:
    return PartFile(role, file.parent / "parts" / role / "part.json").part.config


def whole(file: Path) -> Config:
    return load(file.parent / "parts" / "whole" / "lunapassapi.config.toml", {})


def test_each_role_has_a_folder_with_its_part(file: Path) -> None:
    """Only the aggregator's part has the key; only the owner can read the parts."""
    done = parts(file)
    assert done.exit_code == 0
    assert done.stdout.startswith("Accepts one passing frame")
    folder = file.parent / "parts"
    assert folder.stat().st_mode & 0o777 == 0o700
    holders = {path.parent.name for path in folder.glob("*/*") if KEY in path.read_text()}
    assert holders == {"aggregator", "whole"}
    for role in ROLES:
        part(file, role)
        # In the unit, which sees the folder under another path, the role's user may read it.
        assert (folder / role).stat().st_mode & 0o005 == 0o005
        assert (folder / role / "part.json").stat().st_mode & 0o004
    assert whole(file) == with_transport_keys(load(file, {}), whole(file))


def test_key_files_are_in_the_parts(file: Path) -> None:
    """A unit's user cannot read root's files, and does not need to."""
    secret = file.parent / "key"
    secret.write_text("k" * 64)
    write(file, key=f"file:{secret}")
    parts(file)
    assert part(file, "aggregator").LUNA_PASS.JWT.key.get_secret_value() == "k" * 64


def test_environment_variables_are_in_the_parts(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the unit that writes the parts."""
    monkeypatch.setenv("LUNAPASS__LUNA_PASS__PORT", "4711")
    parts(file)
    assert {part(file, role).LUNA_PASS.port for role in ROLES} == {4711}


def test_a_reload_keeps_sections_that_need_a_restart(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A role that dies after it starts with the same sections as the running ones."""
    parts(file)
    write(file, "[LUNA_PASS]\nport = 4711\n[LIVENESS.THRESHOLDS]\nyaw = 5\n", key=KEY[::-1])
    caplog.set_level(logging.WARNING)
    assert parts(file, "--reload").exit_code == 0
    assert "need a restart: LUNA_PASS" in caplog.text
    aggregator = part(file, "aggregator")
    assert aggregator.LIVENESS.THRESHOLDS.yaw == 5
    assert aggregator.LUNA_PASS.port == Config().LUNA_PASS.port
    assert aggregator.LUNA_PASS.JWT.key.get_secret_value() == KEY
    parts(file)
    assert part(file, "aggregator").LUNA_PASS.port == 4711


@pytest.mark.parametrize("option", [[], ["--reload"]], ids=["start", "reload"])
def test_new_parts_have_the_old_transport_keys(
    file: Path, caplog: pytest.LogCaptureFixture, option: list[str]
) -> None:
    """Roles that are already running keep their connections."""
    parts(file)
    before = {role: part(file, role).TRANSPORT.KEYS for role in ROLES}
    write(file, "[LIVENESS.THRESHOLDS]\nyaw = 5\n")
    caplog.set_level(logging.WARNING)
    parts(file, *option)
    assert {role: part(file, role).TRANSPORT.KEYS for role in ROLES} == before
    assert caplog.text == ""
    assert part(file, "worker").LIVENESS.THRESHOLDS.yaw == 5


def test_a_new_folder_gets_new_transport_keys(file: Path) -> None:
    """The service was stopped, and its folder is gone."""
    parts(file)
    before = part(file, "worker").TRANSPORT.KEYS
    shutil.rmtree(file.parent / "parts")
    parts(file)
    assert part(file, "worker").TRANSPORT.KEYS.workerPublic != before.workerPublic


def test_a_start_ignores_parts_of_another_version(file: Path) -> None:
    """A reload does not: it takes sections that need a restart from the generation in force."""
    parts(file)
    left = file.parent / "parts" / "whole" / "lunapassapi.config.toml"
    left.write_text("[OF_ANOTHER_VERSION]\n")
    with pytest.raises(ConfigError, match="OF_ANOTHER_VERSION"):
        parts(file, "--reload")
    assert parts(file).exit_code == 0
    assert whole(file).TRANSPORT.KEYS.workerPublic


def test_a_reload_before_any_start_is_a_start(file: Path) -> None:
    """There is nothing to keep."""
    assert parts(file, "--reload").exit_code == 0
    part(file, "worker")


@pytest.mark.parametrize("option", [[], ["--reload"]])
def test_an_invalid_file_changes_nothing(file: Path, option: list[str]) -> None:
    """Every part stays the same."""
    parts(file)
    before = {path: path.read_bytes() for path in (file.parent / "parts").glob("*/*")}
    write(file, "[LIVENESS.THRESHOLDS]\nyaw = -5\n")
    with pytest.raises(ConfigError, match="yaw is -5"):
        parts(file, *option)
    assert {path: path.read_bytes() for path in (file.parent / "parts").glob("*/*")} == before


def test_a_folder_of_another_user_is_refused(file: Path) -> None:
    """Its owner could read the parts."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    folder = file.parent / "parts"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(ResourceError, match="belongs to user 12345"):
        parts(file)


def test_root_is_warned_of_files_that_others_may_read(file: Path) -> None:
    """A compromised role runs as another user, and could read them."""
    if os.geteuid() != 0:
        pytest.skip("needs root: other users own the files")
    secret = file.parent / "key"
    secret.write_text("k" * 64)
    secret.chmod(0o600)
    write(file, key=f"file:{secret}")
    assert "can be read" not in parts(file).stderr
    secret.chmod(0o640)
    assert "can be read" not in parts(file).stderr  # readable by root's group
    os.chown(secret, 0, 12345)
    assert f"chmod 0600 {secret}" in parts(file).stderr
    file.chmod(0o604)
    assert f"chmod 0600 {file}" in parts(file).stderr
    os.chown(secret, 12345, 0)
    assert f"chown root:root {secret}" in parts(file).stderr
    plugin = "[MIDDLEWARES.REQUEST.StartToken]\nisEnabled = 1\nargs.key = "
    write(file, f'{plugin}"file:{secret}"\n')
    assert f"chown root:root {secret}" in parts(file).stderr
    write(file, write_keys(file.parent / "keys"))
    os.chown(file.parent / "keys" / "worker.key", 12345, 0)
    (line,) = [line for line in parts(file).stderr.splitlines() if "can be read" in line]
    assert f"chown root:root {file.parent}/keys/worker.key" in line
