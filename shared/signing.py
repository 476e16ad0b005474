"""Keys of the token: loading, signing, and the public keys as a JWK set."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from pydantic import SecretStr

from shared.config.luna_pass import JwtSection
from shared.errors import ConfigError
from shared.text_files import named_file, value_or_file

KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Minimum length of a shared secret: that of the digest (RFC 7518, section 3.2)."""
MIN_RSA_BITS = 2048
"""Shortest RSA key (RFC 7518, section 3.3)."""
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
        is_shared = section.algorithm.startswith("HS")
        own = [] if is_shared else [_public_jwk(self._key.public_key(), section.algorithm)]
        self.key_id: str | None = own[0]["kid"] if own else None
        published = [_published(text) for text in section.publishedKeys]
        self._jwks = {"keys": own + [key for key in published if key["kid"] != self.key_id]}

    def _load(self, text: str) -> Any:
        name = self._section.algorithm
        try:
            key = self._algorithm.prepare_key(text)
            if name in KINDS and not isinstance(key.public_key(), KINDS[name]):
                raise ValueError("unsupported key type")
            if name == "RS256" and key.key_size < MIN_RSA_BITS:
                raise ValueError("too short")
        except Exception as error:  # the parsers raise various types for invalid keys
            raise ConfigError(
                f"[LUNA_PASS.JWT] key: does not fit {name}; give a shared secret for HS..., "
                "a private key in PEM for the others: RSA of 2048 bits or more, P-256, Ed25519"
            ) from error
        return key

    @property
    def jwks(self) -> str:
        """The public keys as a JWK set in JSON (RFC 7517); without keys for a shared secret."""
        return json.dumps(self._jwks)

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims into a compact token."""
        headers = {"kid": self.key_id} if self.key_id else None
        return jwt.encode(claims, self._key, algorithm=self._section.algorithm, headers=headers)


def derived_key(section: JwtSection, purpose: str) -> bytes:
    """Derive a separate secret for another purpose from the signing key.

    Raises:
        ConfigError: the key cannot be read.
    """
    return hmac.digest(_key_text(section).encode(), f"lunapass {purpose}".encode(), "sha256")


def resolve_signing_keys(section: JwtSection) -> JwtSection:
    """Replace each ``file:PATH`` in the section by the content of the file.

    Raises:
        ConfigError: a file cannot be read, or its secret is too short.
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


def _published_text(text: str) -> str:
    return value_or_file(text, _PUBLISHED, advice="give a PEM file")


def _published(text: str) -> dict[str, Any]:
    try:
        key = serialization.load_pem_public_key(_published_text(text).encode())
        algorithm = next(name for name, kind in KINDS.items() if isinstance(key, kind))
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name != "secp256r1":
            raise ValueError("ES256 needs P-256")
    except (ValueError, StopIteration, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{_PUBLISHED}: an entry is not a public key in PEM for RS256, ES256 or EdDSA; "
            "give public keys only, never a private one"
        ) from error
    return _public_jwk(key, algorithm)


def public_key_id(text: str, algorithm: str) -> str:
    """Return the key id of a public key in PEM that fits an algorithm."""
    key = get_default_algorithms()[algorithm].prepare_key(text)
    name: str = _public_jwk(key, algorithm)["kid"]
    return name


def _public_jwk(key: Any, algorithm: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
    jwk.update(use="sig", alg=algorithm, kid=_thumbprint(jwk))
    return jwk


def _key_text(section: JwtSection) -> str:
    text = section.key.get_secret_value()
    if not text:
        raise ConfigError("[LUNA_PASS.JWT] key: is empty; only the aggregator gets the signing key")
    path = named_file(text)
    if path is None:
        return text
    least = KEY_BYTES.get(section.algorithm)
    advice = "give a PEM file" if least is None else "make a secret with: lunapass config key"
    secret = value_or_file(text, "[LUNA_PASS.JWT] key", advice=advice)
    length = len(secret.encode())
    if least is not None and length < least:
        raise ConfigError(
            f"[LUNA_PASS.JWT] key: file {path} has {length} bytes; allowed for "
            f"{section.algorithm}: at least {least}; make one with: lunapass config key"
        )
    return secret


def _thumbprint(jwk: dict[str, Any]) -> str:
    """Return the key id of RFC 7638: digest of the key's required members in canonical form."""
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
    canonical = {name: jwk[name] for name in members[jwk["kty"]]}
    text = json.dumps(canonical, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
