"""The relying party's credential is long, and used for nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.config.key_files import resolve_key_files
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError

SIGNING, START, OTHER = "v" * 32, "s" * 32, "r" * 32


def config(*, on: bool = True, cells: int = 1, store: str = "", **args: Any) -> Config:
    request = {
        "StartToken": {"isEnabled": True, "args": {"key": START}},
        "ServerResult": {"isEnabled": on, "args": args},
    }
    return Config.model_validate(
        {
            "LUNA_PASS": {"JWT": {"key": SIGNING}},
            "TRANSPORT": {"cells": cells},
            "SESSION_STORE": {"connectionString": store},
            "MIDDLEWARES": {"REQUEST": request},
        }
    )


@pytest.mark.parametrize(
    "settings",
    [{"key": OTHER}, {"on": False}, {"key": OTHER, "cells": 2, "store": "redis://127.0.0.1"}],
)
def test_a_valid_credential_is_accepted(settings: dict[str, Any]) -> None:
    """It is used for nothing else, and every gateway finds the results."""
    assert not [warning for warning in check(config(**settings)) if "ServerResult" in warning]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "needs args.key"),
        ({"key": OTHER, "cells": 2}, "no session store"),
    ],
)
def test_an_invalid_credential_is_refused(settings: dict[str, Any], reason: str) -> None:
    """Each refusal has a reason."""
    with pytest.raises(ConfigError, match=rf"ServerResult\].*{reason}"):
        check(config(**settings))


@pytest.mark.parametrize("key", [SIGNING, START])
def test_a_key_that_signs_tokens_is_refused(tmp_path: Path, key: str) -> None:
    """The credential goes over the network. It may come from a file."""
    (tmp_path / "key").write_text(key)
    for text in (key, f"file:{tmp_path / 'key'}"):
        with pytest.raises(ConfigError, match=r"ServerResult\].*a key for each purpose"):
            resolve_key_files(config(key=text))


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    """Its line end is removed; a short key is refused."""
    file = tmp_path / "result.key"
    file.write_text(f"{OTHER}\n")
    read = resolve_key_files(config(key=f"file:{file}")).MIDDLEWARES.REQUEST.ServerResult.args.key
    assert read is not None
    assert read.get_secret_value() == OTHER
    file.write_text(OTHER[1:])
    with pytest.raises(ConfigError, match="at least 32"):
        resolve_key_files(config(key=f"file:{file}"))
