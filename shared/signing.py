"""Keys of the verdict's token: loading, signing, and the public half as a JWK set."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from pydantic import SecretStr

from shared.config.manual import JwtSection
from shared.errors import ConfigError
from shared.text_files import read_text

SHORTEST_SECRET = 32
"""Characters of a shared secret in a file of its own (RFC 7518: as long as the digest)."""
SHORTEST_RSA = 2048
"""Bits of an RSA key (RFC 7518, section 3.3)."""
_PUBLISHED = "[LUNA_PASS.JWT] publishedKeys"


class Signer:
    """Signs claims with the configured algorithm and key.

    Raises:
        ConfigError: the key cannot be read or does not fit the algorithm.
    """

    def __init__(self, section: JwtSection) -> None:
        self._section = section
        self._algorithm = get_default_algorithms()[section.algorithm]
        self._key = self._load(_key_text(section))
        public = self._public_jwk()
        self.key_id: str | None = public["kid"] if public else None
        own = [public] if public else []
        self._jwks = {"keys": own + _further_keys(section.publishedKeys, self.key_id)}

    def _load(self, text: str) -> Any:
        name = self._section.algorithm
        try:
            key = self._algorithm.prepare_key(text)
            if name in KINDS and not isinstance(key.public_key(), KINDS[name]):
                raise ValueError("another kind of key")
            if name == "RS256" and key.key_size < SHORTEST_RSA:
                raise ValueError("too short")
        except Exception as error:  # the key may be wrong in ways only its parser knows
            raise ConfigError(
                f"[LUNA_PASS.JWT] key: does not fit {name}; give a shared secret for HS..., "
                "a private key in PEM for the others: RSA of 2048 bits or more, P-256, Ed25519"
            ) from error
        return key

    def _public_jwk(self) -> dict[str, Any] | None:
        if self._section.algorithm.startswith("HS"):
            return None
        return _public_jwk(self._key.public_key(), self._section.algorithm)

    @property
    def jwks(self) -> str:
        """The public keys as JSON (RFC 7517); empty for a shared secret."""
        return json.dumps(self._jwks)

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims into a compact token."""
        headers = {"kid": self.key_id} if self.key_id else None
        return jwt.encode(claims, self._key, algorithm=self._section.algorithm, headers=headers)


def derived_key(section: JwtSection, purpose: str) -> bytes:
    """Derive a secret of its own for another purpose from the signing key.

    Raises:
        ConfigError: the key cannot be read.
    """
    return hmac.digest(_key_text(section).encode(), f"lunapass {purpose}".encode(), "sha256")


def with_files_read(section: JwtSection) -> JwtSection:
    """Put the content of the key files into the section, in place of their paths.

    Raises:
        ConfigError: a file cannot be read, or holds too short a secret.
    """
    return section.model_copy(
        update={
            "key": SecretStr(_key_text(section)),
            "publishedKeys": [_published_text(text) for text in section.publishedKeys],
        }
    )


KINDS: dict[str, type] = {
    "RS256": rsa.RSAPublicKey,
    "ES256": ec.EllipticCurvePublicKey,
    "EdDSA": ed25519.Ed25519PublicKey,
}


def _further_keys(texts: Sequence[str], own: str | None) -> list[dict[str, Any]]:
    """Public keys that this signer does not sign with; its own is not named twice."""
    keys = [_published(text) for text in texts]
    return [key for key in keys if key["kid"] != own]


def _published_text(text: str) -> str:
    if not text.startswith("file:"):
        return text
    return read_text(Path(text.removeprefix("file:")), _PUBLISHED, advice="give a PEM file")


def _published(text: str) -> dict[str, Any]:
    try:
        key = serialization.load_pem_public_key(_published_text(text).encode())
        algorithm = next(name for name, kind in KINDS.items() if isinstance(key, kind))
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name != "secp256r1":
            raise ValueError("ES256 is for P-256 alone")
    except (ValueError, StopIteration, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{_PUBLISHED}: holds what is no public key of RS256, ES256 or EdDSA in PEM; "
            "give public keys only, never a private one"
        ) from error
    return _public_jwk(key, algorithm)


def _public_jwk(key: Any, algorithm: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
    jwk.update(use="sig", alg=algorithm, kid=_thumbprint(jwk))
    return jwk


def _key_text(section: JwtSection) -> str:
    text = section.key.get_secret_value()
    if not text:
        raise ConfigError("[LUNA_PASS.JWT] key: is empty; only an aggregator has the signing key")
    if not text.startswith("file:"):
        return text
    path = Path(text.removeprefix("file:"))
    shared = section.algorithm.startswith("HS")
    advice = "make a secret with: lunapass config key" if shared else "give a PEM file"
    secret = read_text(path, "[LUNA_PASS.JWT] key", advice=advice).strip()
    if shared and len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"[LUNA_PASS.JWT] key: file {path} holds {len(secret)} characters, at least "
            f"{SHORTEST_SECRET} are needed; make one with: lunapass config key"
        )
    return secret


def _thumbprint(jwk: dict[str, Any]) -> str:
    """Key id after RFC 7638: digest of the key's required members in canonical form."""
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
    canonical = {name: jwk[name] for name in members[jwk["kty"]]}
    text = json.dumps(canonical, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
