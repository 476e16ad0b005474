"""The sentence that states what a configuration requires of a person, and its warnings."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.policy import sentence, weaknesses
from shared.config.rules import check
from shared.config.service import Config
from tests.support.judge import plugin_config

THREE: dict[str, Any] = {"AggregateLiveness": {"framesCount": 3}}
ANY_REFUSALS: dict[str, Any] = {"LIMITS": {"livenessRefusals": 0}}
FORTY = {"LIVENESS": {"maxAttempts": 40}, **ANY_REFUSALS}


@pytest.mark.parametrize(
    ("plugins", "sections", "said"),
    [
        ({}, {}, "Accepts one passing frame out of at most 15; no active liveness."),
        (
            {},
            ANY_REFUSALS,
            "Accepts one passing frame out of as many as 300 s allow; no active liveness.",
        ),
        (
            {},
            {"LIVENESS": {"maxLivenessAttempts": 9, "maxAttempts": 40}},
            "Accepts one passing frame out of at most 9; no active liveness.",
        ),
        (
            THREE,
            FORTY,
            "Accepts a passing mean over 3 frames of one person out of at most 40; "
            "no active liveness.",
        ),
        (
            THREE,
            FORTY | {"WORKERS": {"backend": "lunasdk"}},
            "Accepts a passing mean over 3 frames out of at most 40; no active liveness.",
        ),
        (
            {"AggregateLiveness": {"framesCount": 9, "earlyDecision": True}},
            FORTY,
            "Accepts a passing mean over 9 frames of one person, or fewer that agree, out of at "
            "most 40; no active liveness.",
        ),
        (
            {"ActiveLiveness": {"interactionsCount": 1}, "FaceMatcher": None},
            FORTY,
            "Accepts one passing frame out of at most 40; the same person throughout; "
            "asks for 1 action.",
        ),
        (
            {"LifeSigns": {"windowSeconds": 5.0}},
            FORTY,
            "Accepts one passing frame out of at most 40; "
            "asks for an action where 5 s show no clear signs of life.",
        ),
    ],
)
def test_a_policy_is_one_sentence(
    plugins: dict[str, Any], sections: dict[str, Any], said: str
) -> None:
    """Frames that decide, attempts, one person or several, actions."""
    hourly = "; 20 refused sessions of one address an hour."
    assert sentence(plugin_config(plugins, **sections)) == said.removesuffix(".") + hourly


@pytest.mark.parametrize(
    ("plugins", "backend", "expected"),
    [
        ({}, "onnx", ["one lucky frame decides"]),
        ({"AggregateLiveness": {"framesCount": 1}}, "onnx", ["one lucky frame decides"]),
        ({"ActiveLiveness": None}, "onnx", []),
        (THREE, "onnx", []),
        (THREE, "oip", []),
        (THREE, "lunasdk", ["frames of different people can decide together"]),
        (THREE, "my.package:Backend", ["frames of different people can decide together"]),
        ({**THREE, "FaceMatcher": None}, "my.package:Backend", []),
    ],
)
def test_weak_requirements_cause_a_warning(
    plugins: dict[str, Any], backend: str, expected: list[str]
) -> None:
    """They accept one lucky frame, or frames of different people because faces are not compared."""
    found = list(weaknesses(plugin_config(plugins, WORKERS={"backend": backend})))
    assert [any(text in str(finding) for finding in found) for text in expected] == [True] * len(
        expected
    )
    assert len(found) == len(expected)
    assert all(str(finding).startswith("[MIDDLEWARES.WS.") for finding in found)
    assert not any(finding.is_error for finding in found)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (ANY_REFUSALS, ["[LIMITS] livenessRefusals"]),
        (FORTY, []),
        ({"LIMITS": {"refusedSessionsPerAddress": 0}}, ["[LIMITS] refusedSessionsPerAddress"]),
    ],
)
def test_unlimited_attempts_cause_a_warning(sections: dict[str, Any], expected: list[str]) -> None:
    """They are unlimited within one session, or over many sessions."""
    found = weaknesses(plugin_config({"ActiveLiveness": None}, **sections))
    assert [finding.place for finding in found] == expected


def test_unlimited_refused_sessions_are_stated() -> None:
    """The sentence says so if there is no limit."""
    config = plugin_config({}, LIMITS={"refusedSessionsPerAddress": 0})
    assert sentence(config).endswith("; any number of refused sessions of one address an hour.")


@pytest.mark.parametrize(
    ("policy", "judged", "expected"),
    [
        (1, "the largest", "another face may be on the best shot"),
        (2, "the one closest to the centre", "a larger face may be on the best shot"),
    ],
)
def test_other_faces_cause_a_warning(policy: int, judged: str, expected: str) -> None:
    """The image in the token may show a face that was not judged."""
    config = several_faces(policy)
    assert sentence(config).endswith(f"; judges {judged} of several faces.")
    (found,) = map(str, weaknesses(config))
    assert expected in found
    assert "faceRect" in found


def test_one_face_alone_needs_no_warning() -> None:
    """Policy 0 refuses a second face."""
    config = several_faces(0)
    assert "faces" not in sentence(config)
    assert not list(weaknesses(config))


def several_faces(policy: int) -> Config:
    """A configuration with no other weakness."""
    thresholds = {"THRESHOLDS": {"multifacePolicy": policy}}
    return plugin_config({"ActiveLiveness": None}, LIVENESS=thresholds)


def test_the_defaults_of_luna_pass_violate_no_rule() -> None:
    """They require little, which gives warnings but no error."""
    config = plugin_config({})
    assert check(config) == []
    assert list(weaknesses(config))
