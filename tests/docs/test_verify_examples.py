"""The examples of the integration guide accept valid tokens and refuse invalid ones."""

from __future__ import annotations

import hmac
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.verify_examples import (
    COMMANDS,
    EXAMPLES,
    SECRET,
    Run,
    assert_refused,
    claims,
    encoded,
    position,
    sign,
)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


def with_header(token: str, **changed: str) -> str:
    """Return the token with another header and its old signature."""
    _, payload, signature = token.split(".")
    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT", **changed}).encode())
    return f"{header}.{payload}.{signature}"


def test_a_valid_token_is_accepted(verify: Run) -> None:
    """Signature, issuer and time are valid, and the program prints the session."""
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
    """The box is given in fractions of the image, which may be smaller than the judged frame."""
    answer = verify(sign(claims(details={"faceFramePosition": position(*rect)})), SECRET)
    assert answer.stdout.rstrip().endswith(f"face at {printed}"), answer.stderr


def test_a_token_without_a_face_box_is_refused(verify: Run) -> None:
    """Otherwise the face to compare would be a guess."""
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
def test_an_invalid_token_is_refused(verify: Run, spoilt: Callable[[], str]) -> None:
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
    """Otherwise the check that the option requests would be skipped."""
    (tmp_path / "empty.json").write_text("{}")
    given = [word.replace("FILE", str(tmp_path / "empty.json")) for word in words]
    assert_refused(verify(sign(claims()), *given))


def test_a_short_secret_is_refused(verify: Run) -> None:
    """Anyone could guess it, and sign with it; a variable that is not set gives an empty one."""
    data = with_header(sign(claims())).rpartition(".")[0]
    short = "x" * 31
    signature = encoded(hmac.digest(short.encode(), data.encode(), "sha256"))
    assert_refused(verify(f"{data}.{signature}", short), "32 bytes")


@pytest.mark.parametrize("place", ["with space", "ключ", "link"])
def test_a_program_runs_from_any_path(language: str, tmp_path: Path, place: str) -> None:
    """If it took itself for an imported module, it would verify nothing and exit with status 0."""
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
def test_a_token_is_valid_for_one_person_and_purpose(
    verify: Run, tmp_path: Path, token: dict[str, Any], expected: dict[str, Any], accepted: bool
) -> None:
    """The claims of its start token must equal those that the server expects."""
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    answer = verify(sign(claims(**token)), SECRET, "--expect", str(tmp_path / "expected.json"))
    if accepted:
        assert answer.returncode == 0, answer.stderr
    else:
        assert_refused(answer, "the token is for another")
