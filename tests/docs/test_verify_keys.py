"""The examples of the integration guide verify with the service's public keys."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shared.config.luna_pass import JwtSection
from shared.signing import Signer
from tests.support.verify_examples import Run, assert_refused, claims, encoded, sign


@pytest.fixture
def published() -> Iterator[Callable[[str], str]]:
    """Serve key sets like the service; return the address."""
    servers: list[ThreadingHTTPServer] = []

    def publish(jwks: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(jwks.encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield publish
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_token_is_verified_with_the_public_key(
    verify: Run, language: str, algorithm: str, published: Callable[[str], str]
) -> None:
    """The key set of another service does not verify it."""
    if language == "go" and algorithm != "EdDSA":
        pytest.skip("the Go example knows EdDSA only")
    sections = [{"algorithm": algorithm, "key": _private_key(algorithm)} for _ in range(2)]
    token = sign(claims(), **sections[0])
    own, other = (
        published(Signer(JwtSection.model_validate(section)).jwks) for section in sections
    )
    assert verify(token, "--jwks", own).returncode == 0
    assert_refused(verify(token, "--jwks", other))


def test_a_public_key_is_not_used_as_a_shared_secret(
    verify: Run, published: Callable[[str], str]
) -> None:
    """A classic attack on JWT signs with HS256 and the public key as the secret."""
    section = {"algorithm": "EdDSA", "key": _private_key("EdDSA")}
    (key,) = json.loads(Signer(JwtSection.model_validate(section)).jwks)["keys"]
    raw = base64.urlsafe_b64decode(key["x"] + "=")
    parts = ({"alg": "HS256", "kid": key["kid"]}, claims())
    data = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    for secret in (raw, key["x"].encode()):
        forged = f"{data}.{encoded(hmac.digest(secret, data.encode(), 'sha256'))}"
        assert_refused(verify(forged, "--jwks", published(json.dumps({"keys": [key]}))))


def test_unavailable_keys_are_an_error(verify: Run, published: Callable[[str], str]) -> None:
    """The address does not respond, or responds with something else."""
    section = {"algorithm": "EdDSA", "key": _private_key("EdDSA")}
    token = sign(claims(), **section)
    for address in ("http://127.0.0.1:9/", published("no JSON"), published("[]")):
        assert_refused(verify(token, "--jwks", address))


def _private_key(algorithm: str) -> str:
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm == "EdDSA"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
