"""The key of start tokens comes from one place, and differs from all other keys of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from shared.config.generation import Generation
from shared.config.key_files import resolve_key_files
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError

SIGNING, OTHER = "v" * 32, "s" * 32


def config(*, on: bool = True, cells: int = 1, store: str = "", **args: Any) -> Config:
    return Config.model_validate(
        {
            "LUNA_PASS": {"JWT": {"key": SIGNING}},
            "TRANSPORT": {"cells": cells},
            "SESSION_STORE": {"connectionString": store},
            "MIDDLEWARES": {"REQUEST": {"StartToken": {"isEnabled": on, "args": args}}},
        }
    )


def pem(private: Any) -> str:
    text: bytes = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text.decode()


@pytest.mark.parametrize(
    "settings",
    [
        {"key": OTHER},
        {"jwksUrl": "https://bank.example/jwks.json", "algorithm": "ES256"},
        {"jwksUrl": "http://127.0.0.1:8000/jwks.json", "algorithm": "EdDSA"},
        {"key": OTHER, "cells": 2, "store": "redis://127.0.0.1"},
    ],
)
def test_valid_keys_are_accepted(settings: dict[str, Any]) -> None:
    """One key that is not the signing key, or one address that others cannot change."""
    assert not [warning for warning in check(config(**settings)) if "StartToken" in warning]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "not both"),
        ({"key": OTHER, "jwksUrl": "https://bank.example/", "algorithm": "ES256"}, "not both"),
        ({"jwksUrl": "http://bank.example/", "algorithm": "ES256"}, "not https"),
        ({"jwksUrl": "https://bank.example/"}, "cannot have"),
        *(
            ({"jwksUrl": url, "algorithm": "ES256"}, "not an address")
            for url in (
                "https://[bad",
                "https:///x",
                "https://a:99999/x",
                "ftp://localhost/x",
                "https://a b/",
                "https://a\x01/",
                "bank.example",
            )
        ),
        ({"key": OTHER, "cells": 2}, "no session store"),
    ],
)
def test_invalid_keys_are_refused(settings: dict[str, Any], reason: str) -> None:
    """Each refusal has a reason."""
    with pytest.raises(ConfigError, match=reason):
        check(config(**settings))


def test_args_of_a_disabled_plugin_cause_a_warning() -> None:
    """They look as if they protected the service."""
    (warning,) = [line for line in check(config(on=False, key=OTHER)) if "StartToken" in line]
    assert "is off" in warning


@pytest.mark.parametrize("key", ["refusedSessionsPerPerson", "refusedSessionsPerKiosk"])
def test_limits_by_start_tokens_need_them(key: str) -> None:
    """Without start tokens they would count nothing."""
    limited = Config.model_validate({"LIMITS": {key: 3}})
    with pytest.raises(ConfigError, match="start tokens"):
        check(limited)


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("RS256", lambda: rsa.generate_private_key(65537, 2048)),
        ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate),
    ],
)
def test_a_public_key_in_a_file(tmp_path: Path, algorithm: str, make: Any) -> None:
    """Only the gateway gets it."""
    (tmp_path / "key.pem").write_text(pem(make()))
    given = config(algorithm=algorithm, key=f"file:{tmp_path / 'key.pem'}")
    generation = Generation(resolve_key_files(given))

    def key_of(role: str) -> str:
        key = generation.part(role).config.MIDDLEWARES.REQUEST.StartToken.args.key
        return key.get_secret_value() if key else ""

    assert key_of("gateway").startswith("-----BEGIN PUBLIC KEY")
    assert key_of("aggregator") == key_of("worker") == ""


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        ("HS256", "short"),
        ("HS512", OTHER),
        ("HS256", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("ES256", OTHER),
        ("ES256", pem(ed25519.Ed25519PrivateKey.generate())),
        ("RS256", pem(rsa.generate_private_key(65537, 1024))),
    ],
    ids=[
        "short",
        "short for SHA-512",
        "PEM as a secret",
        "secret as PEM",
        "another kind",
        "short RSA",
    ],
)
def test_an_unsuitable_key_is_refused(algorithm: str, text: str) -> None:
    """It is refused before the start, and not shown."""
    with pytest.raises(ConfigError, match="does not fit") as refused:
        resolve_key_files(config(algorithm=algorithm, key=text))
    assert text not in str(refused.value)
