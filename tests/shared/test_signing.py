"""Tokens verify with the published key and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from pydantic import SecretStr

from shared.config.luna_pass import JwtSection
from shared.errors import ConfigError
from shared.signing import KEY_BYTES, Signer


def pem(algorithm: str) -> str:
    key = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_verifies_with_the_published_key(algorithm: str, tmp_path: Path) -> None:
    """A verifier needs only the key of the JWK set with the token's kid."""
    (tmp_path / "key.pem").write_text(pem(algorithm))
    section = JwtSection(algorithm=algorithm, key=SecretStr(f"file:{tmp_path}/key.pem"))  # type: ignore[arg-type]
    signer = Signer(section)
    token = signer.sign({"isOk": True})
    (published,) = json.loads(signer.jwks)["keys"]
    assert "d" not in published
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    assert jwt.decode(token, jwt.PyJWK(published).key, algorithms=[algorithm]) == {"isOk": True}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_shared_secret_is_never_published(algorithm: str) -> None:
    """The JWK set is empty, and a wrong secret does not verify."""
    secret = "s" * 64
    signer = Signer(JwtSection(algorithm=algorithm, key=SecretStr(secret)))  # type: ignore[arg-type]
    token = signer.sign({"isOk": True})
    assert json.loads(signer.jwks) == {"keys": []}
    assert jwt.decode(token, secret, algorithms=[algorithm]) == {"isOk": True}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, "t" * 64, algorithms=[algorithm])


def test_an_unsuitable_key_is_one_clear_error() -> None:
    """The message names the key's place and never shows it."""
    with pytest.raises(ConfigError, match=r"\[LUNA_PASS.JWT\] key") as caught:
        Signer(JwtSection(algorithm="RS256", key=SecretStr("hunter2")))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", lambda: rsa.generate_private_key(65537, 1024)),
        ("RS256", lambda: rsa.generate_private_key(65537, 2048).public_key()),
        ("ES256", lambda: ec.generate_private_key(ec.SECP384R1())),
        ("ES256", lambda: ec.generate_private_key(ec.SECP256R1()).public_key()),
        ("EdDSA", ed448.Ed448PrivateKey.generate),
        ("EdDSA", lambda: ed25519.Ed25519PrivateKey.generate().public_key()),
    ],
)
def test_an_unsafe_key_is_refused(algorithm: Any, key: Callable[[], Any], tmp_path: Path) -> None:
    """It is weak, unsupported, or a public key."""
    made, file = key(), tmp_path / "key.pem"
    text = public_text(made) if hasattr(made, "verify") else private_text(made)
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"does not fit {algorithm}"):
        Signer(JwtSection(algorithm=algorithm, key=SecretStr(f"file:{file}")))


def private_text(key: Any) -> str:
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    data: bytes = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return data.decode()


def public_text(key: Any) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(serialization.Encoding.PEM, spki)
    return data.decode()


@pytest.mark.parametrize(("algorithm", "least"), KEY_BYTES.items())
def test_a_short_secret_in_a_file_is_refused(algorithm: Any, least: int, tmp_path: Path) -> None:
    """It could be guessed."""
    file = tmp_path / "key"
    section = JwtSection(algorithm=algorithm, key=SecretStr(f"file:{file}"))
    file.write_text("s" * (least - 1) + "\n")
    with pytest.raises(ConfigError, match=f"at least {least}"):
        Signer(section)
    file.write_text("s" * least + "\n")
    Signer(section)


def public(private: str) -> str:
    """Return the public key of a private key, as PEM."""
    key = serialization.load_pem_private_key(private.encode(), None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_every_token_verifies_during_a_rotation(tmp_path: Path) -> None:
    """Old tokens verify after it, new ones with a set fetched before it."""
    old, new = pem("RS256"), pem("ES256")
    (tmp_path / "new.pem").write_text(public(new))
    before = Signer(
        JwtSection(
            algorithm="RS256", key=SecretStr(old), publishedKeys=[f"file:{tmp_path}/new.pem"]
        )
    )
    after = Signer(JwtSection(algorithm="ES256", key=SecretStr(new), publishedKeys=[public(old)]))
    for signer in (before, after):
        token = signer.sign({"isOk": True})
        for published in (before.jwks, after.jwks):
            keys = jwt.PyJWKSet.from_json(published)
            key = keys[str(jwt.get_unverified_header(token)["kid"])]
            assert jwt.decode(token, key, algorithms=[str(key.algorithm_name)])


def test_the_signing_key_is_published_once(tmp_path: Path) -> None:
    """The list may contain it already."""
    key = pem("EdDSA")
    section = JwtSection(algorithm="EdDSA", key=SecretStr(key), publishedKeys=[public(key)])
    assert len(json.loads(Signer(section).jwks)["keys"]) == 1


P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
BAD_KEYS = {
    "no key": "nonsense",
    "no file": "file:/nonexistent",
    "a private key": pem("ES256"),
    "another curve": P384.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode(),
}


@pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS)
def test_only_public_keys_are_published(bad: str) -> None:
    """A private key in the list prevents the start and is not shown."""
    with pytest.raises(ConfigError, match="publishedKeys") as caught:
        Signer(JwtSection(key=SecretStr("s" * 64), publishedKeys=[bad]))
    assert "BEGIN" not in str(caught.value)
