"""Start tokens for tests are accepted by the service.

Wrong keys and times are errors of one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lunapass.commands.start_token import command
from shared.errors import ConfigError
from shared.start_token_maker import StartTokenMaker

SECRET = "s" * 32


def private_pem(key: Any) -> str:
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return text.decode()


def public_pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text.decode()


PRIVATE = ec.generate_private_key(ec.SECP256R1())


def maker(folder: Path, algorithm: str, text: str) -> StartTokenMaker:
    """Sign with a key file for a service with that algorithm."""
    key = SECRET if algorithm == "HS256" else public_pem(PRIVATE)
    (folder / "config.toml").write_text(
        f"MIDDLEWARES.REQUEST.StartToken.args = {{ algorithm = '{algorithm}', key = '''{key}''' }}"
    )
    (folder / "key").write_text(text)
    return StartTokenMaker(folder / "config.toml", folder / "key")


@pytest.mark.parametrize(
    ("algorithm", "text", "verifies"),
    [
        ("HS256", f"{SECRET}\n", SECRET),
        ("ES256", private_pem(PRIVATE), public_pem(PRIVATE)),
    ],
)
def test_a_key_file_signs(tmp_path: Path, algorithm: str, text: str, verifies: str) -> None:
    """A secret is used without its line end, as in the service."""
    token = maker(tmp_path, algorithm, text).make()
    jwt.decode(token, verifies, algorithms=[algorithm], audience="lunapass")


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        ("HS256", "short"),
        ("HS256", private_pem(PRIVATE)),
        ("ES256", ""),
        ("ES256", "a text"),
        ("ES256", public_pem(PRIVATE)),
        ("ES256", private_pem(ed25519.Ed25519PrivateKey.generate())),
    ],
    ids=["short", "PEM as a secret", "empty", "text", "public", "another kind"],
)
def test_an_unsuitable_key_file_is_an_error(tmp_path: Path, algorithm: str, text: str) -> None:
    """The error names it and what is allowed."""
    with pytest.raises(ConfigError, match=f"key: does not fit {algorithm}"):
        maker(tmp_path, algorithm, text)


@pytest.mark.parametrize("seconds", ["-5", "0", "999999"])
def test_an_invalid_lifetime_is_refused(tmp_path: Path, seconds: str) -> None:
    """No token is printed that the service would refuse."""
    maker(tmp_path, "HS256", SECRET)
    words = ["--config", str(tmp_path / "config.toml"), "--seconds", seconds]
    with pytest.raises(ConfigError, match="allowed: 1 to 300"):
        CliRunner().invoke(command, words, catch_exceptions=False)
