"""The examples of the integration guide refuse tokens of any policy but the required one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aggregator.plugins.registry import Registry
from aggregator.policy import Basis
from tests.support.judge import plugin_config
from tests.support.verify_examples import (
    EXAMPLES,
    SECRET,
    Run,
    assert_refused,
    claims,
    encoded,
    sign,
)

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
    """Return the ``policy`` claim of a service with this configuration."""
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


def test_both_policies_of_a_reload_can_be_required(verify_policy: Run) -> None:
    """A session with a reload in the middle names both policies, and each must be required."""
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
    """An unknown key, or a value of another type, would silently weaken the check."""
    assert_refused(verify_policy(sign(claims(policy=policy())), required))


def test_the_required_policy_of_the_guide_is_valid(verify_policy: Run) -> None:
    """The programs accept the JSON of the guide."""
    text = (EXAMPLES.parent / "integration.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    answer = verify_policy(sign(claims(policy=policy())), json.loads(block))
    assert "another policy: rules" in answer.stderr  # those of the guide are an example
