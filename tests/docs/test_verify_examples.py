"""The examples of the integration guide accept valid tokens and refuse invalid and lax ones."""

from __future__ import annotations

import base64
import hmac
import json
import re
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

from aggregator.plugins.registry import Registry
from aggregator.policy import Basis
from shared.config.manual import JwtSection
from shared.signing import Signer
from tests.support.judge import plugin_config

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
COMMANDS = {
    "python": [sys.executable, str(EXAMPLES / "verify.py")],
    "node": ["node", str(EXAMPLES / "verify.mjs")],
    "go": ["go", "run", *(str(EXAMPLES / name) for name in ("verify.go", "verify_main.go"))],
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


def assert_refused(answer: subprocess.CompletedProcess[str], reason: str = "") -> None:
    """The program said why; it did not crash, which would also give status 1."""
    assert answer.returncode == 1
    (line, *_) = [line for line in answer.stderr.splitlines() if line.startswith("refused: ")]
    assert reason in line
    assert "accepted" not in answer.stdout


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    details = {"faceFramePosition": position(160, 120, 240, 240)}
    good = {"isOk": True, "errors": [], "bestshot": "", "details": details, "iss": "lunapass"}
    return {**good, "iat": now, "exp": now + 300, "jti": "j" * 32, "sid": "5" * 32, **changed}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


def position(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    """A face in a frame of 640 x 480."""
    return {
        "faceRect": {"x": x, "y": y, "width": width, "height": height},
        "frameRect": {"x": 0, "y": 0, "width": 640, "height": 480},
        "margins": [0, 0, 0, 0],
    }


def sign(values: dict[str, Any], **section: Any) -> str:
    return Signer(JwtSection.model_validate({"key": SECRET, **section})).sign(values)


def with_header(token: str, **changed: str) -> str:
    """The token with another header and its old signature."""
    _, payload, signature = token.split(".")
    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT", **changed}).encode())
    return f"{header}.{payload}.{signature}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_good_token_is_accepted(verify: Run) -> None:
    """Signature, issuer and time are valid: the program prints the session."""
    answer = verify(sign(claims()), SECRET)
    assert answer.returncode == 0, answer.stderr
    assert "5" * 32 in answer.stdout


@pytest.mark.parametrize(
    ("rect", "printed"),
    [
        ((160, 120, 240, 240), "0.2500, 0.2500, 0.6250, 0.7500"),
        ((-64, 384, 128, 192), "0.0000, 0.8000, 0.1000, 1.0000"),
    ],
    ids=["inside", "beyond the border"],
)
def test_the_judged_face_is_printed(
    verify: Run, rect: tuple[int, int, int, int], printed: str
) -> None:
    """As fractions of the image, which may be smaller than the judged frame."""
    answer = verify(sign(claims(details={"faceFramePosition": position(*rect)})), SECRET)
    assert answer.stdout.rstrip().endswith(f"face at {printed}"), answer.stderr


def test_a_token_that_names_no_face_is_refused(verify: Run) -> None:
    """Without it, the face to compare would be a guess."""
    no_width = position(160, 120, 240, 240)
    no_width["frameRect"]["width"] = 0
    for details in ({}, {"faceFramePosition": no_width}):
        assert_refused(verify(sign(claims(details=details)), SECRET))


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda: sign(claims(), key="x" * 48), id="another key"),
        pytest.param(lambda: sign(claims(exp=int(time.time()) - 1)), id="too old"),
        pytest.param(lambda: sign(claims(iss="somebody")), id="another issuer"),
        pytest.param(lambda: sign(claims(isOk=False)), id="not positive"),
        pytest.param(lambda: sign(claims(jti="")), id="empty jti"),
        pytest.param(lambda: sign(without("sid")), id="no session"),
        pytest.param(lambda: with_header(sign(claims()), alg="none"), id="no algorithm"),
        pytest.param(lambda: sign(claims())[:-4] + "AAAA", id="another signature"),
        pytest.param(lambda: "not.a.token", id="no token"),
    ],
)
def test_a_bad_token_is_refused(verify: Run, spoilt: Callable[[], str]) -> None:
    """Any error gives exit status 1."""
    assert_refused(verify(spoilt(), SECRET))


@pytest.mark.parametrize(
    "words",
    [
        (SECRET, "--polcy", "FILE"),
        (SECRET, "--policy=FILE"),
        (SECRET, "--policy"),
        (SECRET, "--expect", "FILE", "--expect", "FILE"),
        (SECRET, "another"),
        ("--jwks",),
        ("",),
        (),
    ],
    ids=" ".join,
)
def test_a_misspelt_command_is_refused(verify: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Else the check that an option asks for would be skipped."""
    (tmp_path / "empty.json").write_text("{}")
    given = [word.replace("FILE", str(tmp_path / "empty.json")) for word in words]
    assert_refused(verify(sign(claims()), *given))


@pytest.mark.parametrize("place", ["with space", "ключ", "link"])
def test_a_program_verifies_wherever_it_is(language: str, tmp_path: Path, place: str) -> None:
    """A program that takes itself for a module would verify nothing and exit with status 0."""
    folder = tmp_path / place
    if place == "link":
        folder.symlink_to(EXAMPLES)
    else:
        shutil.copytree(EXAMPLES, folder)
    command = [word.replace(str(EXAMPLES), str(folder)) for word in COMMANDS[language]]
    bad = subprocess.run([*command, "not.a.token", SECRET], capture_output=True, text=True)
    assert_refused(bad)
    good = subprocess.run([*command, sign(claims()), SECRET], capture_output=True, text=True)
    assert "accepted" in good.stdout, good.stderr


BOUND = {"aud": "lunapass", "sub": "anna", "nonce": "n-1"}


@pytest.mark.parametrize(
    ("token", "expected", "accepted"),
    [
        (BOUND, BOUND, True),
        ({**BOUND, "aud": ["lunapass", "bank"]}, {**BOUND, "aud": ["lunapass", "bank"]}, True),
        (BOUND, {**BOUND, "sub": "berta"}, False),
        (BOUND, {**BOUND, "nonce": "n-2"}, False),
        (BOUND, {**BOUND, "kiosk": "door 3"}, False),
        (BOUND, {}, False),
        ({}, BOUND, False),
        ({**BOUND, "kiosk": "door 3"}, BOUND, False),
    ],
)
def test_a_token_counts_for_one_person_and_purpose(
    verify: Run, tmp_path: Path, token: dict[str, Any], expected: dict[str, Any], accepted: bool
) -> None:
    """Its claims of the start token are exactly those that the server expects."""
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    answer = verify(sign(claims(**token)), SECRET, "--expect", str(tmp_path / "expected.json"))
    if accepted:
        assert answer.returncode == 0, answer.stderr
    else:
        assert_refused(answer, "the token is for another")


STRICT = {"FaceMatcher": None, "AggregateLiveness": {"framesCount": 5}}
OURS, OTHER = Basis("a" * 16, "b" * 16), Basis("c" * 16, "b" * 16)
REQUIRED: dict[str, Any] = {
    "rules": [OURS.rules],
    "models": ["0" * 16, OURS.models],
    "plugins": {
        "FaceMatcher": {"similarity": [0.5, 1]},
        "AggregateLiveness": {"framesCount": [5, 1000], "earlyDecision": [0, 0]},
    },
    "limits": {"maxLivenessAttempts": [1, 30], "reuseSeconds": [3600, 31_536_000]},
}


def policy(
    plugins: dict[str, Any] = STRICT, *bases: Basis, attempts: int = 20, **limits: float
) -> dict[str, Any]:
    """The claim of the service with a configuration."""
    config = plugin_config(plugins, LIVENESS={"maxLivenessAttempts": attempts}, LIMITS=limits)
    return Registry(config).policy.claim(bases or [OURS])


@pytest.fixture
def verify_policy(verify: Run, tmp_path: Path) -> Run:
    """Verify a token against a required policy."""

    def run(token: str, required: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "policy.json"
        file.write_text(json.dumps(required))
        return verify(token, SECRET, "--policy", str(file))

    return run


def test_a_token_of_the_required_policy_is_accepted(verify_policy: Run) -> None:
    """The policy is required by its digest or by its parts."""
    token = sign(claims(policy=policy()))
    for required in ({"digest": ["0" * 64, policy()["digest"]]}, REQUIRED):
        answer = verify_policy(token, required)
        assert answer.returncode == 0, answer.stderr


def test_both_policies_around_a_reload_can_be_required(verify_policy: Run) -> None:
    """A session during which a reload happened names both; each must be required."""
    both = {"digest": [policy(STRICT, basis)["digest"] for basis in (OURS, OTHER)]}
    answer = verify_policy(sign(claims(policy=policy(STRICT, OTHER, OURS))), both)
    assert answer.returncode == 0, answer.stderr


LAX = {
    "no policy stated": None,
    "plugin off": policy({"AggregateLiveness": {"framesCount": 5}}),
    "too few frames": policy({**STRICT, "AggregateLiveness": {"framesCount": 4}}),
    "switch on": policy({**STRICT, "AggregateLiveness": {"framesCount": 5, "earlyDecision": True}}),
    "another face may do": policy({**STRICT, "FaceMatcher": {"similarity": 0.1}}),
    "no bound on attempts": policy(attempts=-1),
    "no memory of frames": policy(reuseSeconds=0),
    "other rules": policy(STRICT, OTHER),
    "other rules before a reload": policy(STRICT, OTHER, OURS),
}


@pytest.mark.parametrize("lax", LAX.values(), ids=LAX)
def test_a_token_of_a_lax_policy_is_refused(verify_policy: Run, lax: dict[str, Any] | None) -> None:
    """Only the policy differs; the signature is valid."""
    token = sign(claims(policy=lax))
    for required in ({"digest": [policy()["digest"]]}, REQUIRED):
        assert_refused(verify_policy(token, required), "another policy")


def test_a_forged_policy_is_refused(verify_policy: Run) -> None:
    """Replacing the lax policy by the strict one breaks the signature."""
    header, _, signature = sign(claims(policy=LAX["plugin off"])).split(".")
    payload = encoded(json.dumps(claims(policy=policy())).encode())
    forged = f"{header}.{payload}.{signature}"
    assert_refused(verify_policy(forged, REQUIRED), "ignature")


@pytest.mark.parametrize(
    "required",
    [
        {"digests": []},
        {"digest": f"x{policy()['digest']}x"},
        {"digest": None},
        {"limits": None},
        {"plugins": {"FaceMatcher": None}},
        {"limits": {"maxLivenessAttempts": None}},
        {"limits": {"maxLivenessAttempts": [1]}},
        {"limits": {"maxLivenessAttempts": [None, 30]}},
        {"limits": {"maxLivenessAttempts": ["1", "30"]}},
        [],
    ],
    ids=str,
)
def test_a_misspelt_requirement_is_refused(verify_policy: Run, required: Any) -> None:
    """An unknown key, or a value of another type, would silently weaken its check."""
    assert_refused(verify_policy(sign(claims(policy=policy())), required))


def test_the_guides_required_policy_can_be_read(verify_policy: Run) -> None:
    """The programs accept the JSON of the guide."""
    text = (EXAMPLES.parent / "integration.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    answer = verify_policy(sign(claims(policy=policy())), json.loads(block))
    assert "another policy: rules" in answer.stderr  # those of the guide are an example


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
def test_a_public_key_verifies(
    verify: Run, language: str, algorithm: str, published: Callable[[str], str]
) -> None:
    """The service's key set verifies its tokens; another service's does not."""
    if language == "go" and algorithm != "EdDSA":
        pytest.skip("the Go example knows EdDSA only")
    sections = [{"algorithm": algorithm, "key": _private_key(algorithm)} for _ in range(2)]
    token = sign(claims(), **sections[0])
    own, other = (
        published(Signer(JwtSection.model_validate(section)).jwks) for section in sections
    )
    assert verify(token, "--jwks", own).returncode == 0
    assert_refused(verify(token, "--jwks", other))


def test_a_public_key_is_no_shared_secret(verify: Run, published: Callable[[str], str]) -> None:
    """The oldest trick against JWT: HS256 with the public key, which everyone knows, as secret."""
    section = {"algorithm": "EdDSA", "key": _private_key("EdDSA")}
    (key,) = json.loads(Signer(JwtSection.model_validate(section)).jwks)["keys"]
    raw = base64.urlsafe_b64decode(key["x"] + "=")
    parts = ({"alg": "HS256", "kid": key["kid"]}, claims())
    data = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    for secret in (raw, key["x"].encode()):
        forged = f"{data}.{encoded(hmac.digest(secret, data.encode(), 'sha256'))}"
        assert_refused(verify(forged, "--jwks", published(json.dumps({"keys": [key]}))))


def test_keys_that_cannot_be_fetched(verify: Run, published: Callable[[str], str]) -> None:
    """An address without an answer, and one that answers with something else."""
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
