"""The examples of the integration guide really tell good tokens from bad ones."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shared.config_manual import JwtSection
from shared.signing import Signer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
COMMANDS = {
    "python": [sys.executable, str(EXAMPLES / "verify.py")],
    "node": ["node", str(EXAMPLES / "verify.mjs")],
    "go": ["go", "run", str(EXAMPLES / "verify.go")],
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=COMMANDS)
def language(request: pytest.FixtureRequest) -> str:
    if shutil.which(COMMANDS[request.param][0]) is None:
        pytest.skip(f"{COMMANDS[request.param][0]} is not installed on this machine")
    name: str = request.param
    return name


@pytest.fixture
def verify(language: str) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMANDS[language], *arguments], capture_output=True, text=True)

    return run


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"isOk": True, "errors": [], "bestshot": "", "details": {}, "iss": "lunapass"}
    return {**good, "iat": now, "exp": now + 300, "jti": "j" * 32, "sid": "5" * 32, **changed}


def sign(values: dict[str, Any], **section: Any) -> str:
    return Signer(JwtSection.model_validate({"key": SECRET, **section})).sign(values)


def with_header(token: str, **changed: str) -> str:
    """The token with another header and its old signature."""
    _, payload, signature = token.split(".")
    header = json.dumps({"alg": "HS256", "typ": "JWT", **changed}).encode()
    return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{payload}.{signature}"


def test_a_good_token_is_accepted(verify: Run) -> None:
    """Signature, issuer and time are right: the session is told."""
    answer = verify(sign(claims()), SECRET)
    assert answer.returncode == 0, answer.stderr
    assert "5" * 32 in answer.stdout


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda: sign(claims(), key="x" * 48), id="another key"),
        pytest.param(lambda: sign(claims(exp=int(time.time()) - 1)), id="too old"),
        pytest.param(lambda: sign(claims(iss="somebody")), id="another issuer"),
        pytest.param(lambda: sign(claims(isOk=False)), id="not positive"),
        pytest.param(lambda: with_header(sign(claims()), alg="none"), id="no algorithm"),
        pytest.param(lambda: sign(claims())[:-4] + "AAAA", id="another signature"),
        pytest.param(lambda: "not.a.token", id="no token"),
    ],
)
def test_a_bad_token_is_refused(verify: Run, spoilt: Callable[[], str]) -> None:
    """Whatever is wrong, the exit status says so."""
    answer = verify(spoilt(), SECRET)
    assert answer.returncode == 1
    assert "refused" in answer.stderr


@pytest.fixture
def published() -> Iterator[Callable[[str], str]]:
    """Serve key sets as the service does; answers the address."""
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
def test_a_public_key_verifies(
    verify: Run, language: str, algorithm: str, published: Callable[[str], str]
) -> None:
    """With the key set of the service no secret is shared; another service's is refused."""
    if language == "go" and algorithm != "EdDSA":
        pytest.skip("the Go example knows EdDSA only")
    sections = [{"algorithm": algorithm, "key": _private_key(algorithm)} for _ in range(2)]
    token = sign(claims(), **sections[0])
    own, other = (
        published(Signer(JwtSection.model_validate(section)).jwks) for section in sections
    )
    assert verify(token, "--jwks", own).returncode == 0
    assert verify(token, "--jwks", other).returncode == 1


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
