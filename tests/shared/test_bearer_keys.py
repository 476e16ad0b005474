"""Credentials of other servers, as the configuration names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.bearer_keys import METRICS_PLACE, resolve_bearer_key
from shared.config.key_files import resolve_key_files, secret_files
from shared.config.service import Config
from shared.errors import ConfigError

KEY = "k" * 32


def test_a_file_is_read(tmp_path: Path) -> None:
    """Its content replaces its path; a text stays. Other users must not be able to read it."""
    file = tmp_path / "token"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    for text in (KEY, f"file:{file}"):
        config = Config.model_validate(
            {"METRICS": {"token": text}, "LUNA_PASS": {"JWT": {"key": "s" * 64}}}
        )
        token = resolve_key_files(config).METRICS.token
        assert token is not None
        assert token.get_secret_value() == KEY
        assert secret_files(config) == ([] if text == KEY else [file])


def test_the_token_has_no_other_purpose() -> None:
    """It goes over the network, so it must not sign verdicts."""
    key = "s" * 64
    config = Config.model_validate({"METRICS": {"token": key}, "LUNA_PASS": {"JWT": {"key": key}}})
    with pytest.raises(ConfigError, match=r"^\[METRICS\] token: is the same key as"):
        resolve_key_files(config)


@pytest.mark.parametrize("key", [KEY[1:], "ü" * 32, "k" * 31 + "\x07", "file:/absent/token"])
def test_an_unusable_credential_is_an_error(key: str) -> None:
    """It is too short, invalid in a header, or cannot be read."""
    with pytest.raises(ConfigError, match=r"^\[METRICS\] token"):
        resolve_bearer_key(SecretStr(key), METRICS_PLACE)
