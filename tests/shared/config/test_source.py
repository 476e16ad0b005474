"""Reloading the configuration: thresholds and plugins change, the rest needs a restart."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from shared.config.source import ConfigSource

KEY = '[LUNA_PASS.JWT]\nkey = "0123456789abcdef0123456789abcdef0123456789abcdef"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(KEY)
    return path


def test_a_reload_changes_thresholds_and_plugins(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """LIVENESS, CHECKS and MIDDLEWARES are reloaded."""
    source = ConfigSource(file)
    file.write_text(
        KEY + "[LIVENESS.THRESHOLDS]\nyaw = 5\n[CHECKS]\nframeWidth = 400\n"
        "[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1\n"
        '[MIDDLEWARES.REQUEST.BasicAuth]\nisEnabled = 1\nargs.origin = "https://a"\n'
    )
    fresh = source.reload(source.config)
    assert fresh is not None
    assert "need a restart" not in caplog.text
    assert fresh.MIDDLEWARES.REQUEST.BasicAuth.args.origin == "https://a"
    assert fresh.LIVENESS.THRESHOLDS.yaw == 5
    assert fresh.CHECKS.frameWidth == 400
    assert fresh.MIDDLEWARES.WS.Bestshot.isEnabled


def test_other_sections_wait_for_a_restart(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A changed port is logged and not applied."""
    source = ConfigSource(file)
    file.write_text("[LUNA_PASS]\nport = 1234\n" + KEY)
    fresh = source.reload(source.config)
    assert fresh is not None
    assert fresh.LUNA_PASS.port == source.config.LUNA_PASS.port
    assert "need a restart: LUNA_PASS" in caplog.text


def test_plugins_that_write_wait_for_a_restart(
    file: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """FileLogger's folder is opened once; other plugins are reloaded."""
    source = ConfigSource(file)
    file.write_text(
        KEY + "[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1\n[MIDDLEWARES.WS.FileLogger]\n"
        f'isEnabled = 1\n[MIDDLEWARES.WS.FileLogger.args]\npath = "{tmp_path}/logs"\n'
    )
    fresh = source.reload(source.config)
    assert fresh is not None
    assert fresh.MIDDLEWARES.WS.Bestshot.isEnabled
    assert not fresh.MIDDLEWARES.WS.FileLogger.isEnabled
    assert "need a restart: FileLogger" in caplog.text


def test_new_plugins_must_fit_the_sections_in_force(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise start tokens could be on with several cells while the session store is still off.

    Nor may the start key be the signing key that is still in use.
    """
    file.write_text(KEY + "[TRANSPORT]\ncells = 2\n")
    source = ConfigSource(file)
    plugin = "[MIDDLEWARES.REQUEST.StartToken]\nisEnabled = 1\nargs.key = "
    store = '[SESSION_STORE]\nconnectionString = "redis://127.0.0.1"\n[TRANSPORT]\ncells = 2\n'
    file.write_text(f'{KEY}{store}{plugin}"{"s" * 64}"\n')
    assert source.reload(source.config) is None
    assert "no session store" in caplog.text
    source = ConfigSource(file)
    old_key = KEY.split('"')[1]
    file.write_text(f'LUNA_PASS.JWT.key = "{"n" * 64}"\n{store}{plugin}"{old_key}"\n')
    assert source.reload(source.config) is None
    assert "a key for each purpose" in caplog.text


def test_an_invalid_file_changes_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has an invalid value or violates a rule."""
    caplog.set_level(logging.ERROR)
    source = ConfigSource(file)
    for faulty in ("[LIVENESS.THRESHOLDS]\nyaw = -5\n", "[LIVENESS]\nmaxAttempts = 0\n"):
        file.write_text(KEY + faulty)
        assert source.reload(source.config) is None
    assert caplog.text.count("not reloaded") == 2
