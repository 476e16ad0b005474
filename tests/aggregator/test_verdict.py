"""Data of plugins: what clients see in production and in development, and what the token has."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from jsonschema import Draft202012Validator

from aggregator.verdict import VerdictWriter
from loadtest.synthetic.look import Look
from lunapass.protocol_docs.documents import documents
from shared.frame.estimation import Profile
from shared.signing import Signer
from tests.support.acting import play, seen
from tests.support.judge import plugin_config


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ("production", {"activeLiveness"}),
        ("development", {"activeLiveness", "aggregateLiveness", "headPose", "eyes"}),
    ],
)
def test_production_shows_progress_but_no_scores(env: str, shown: set[str]) -> None:
    """In production the client sees how far the session is, and no measured value."""
    key = "0123456789abcdef0123456789abcdef0123456789abcdef"
    plugins: dict[str, Any] = {
        "AggregateLiveness": {"framesCount": 1},
        "ActiveLiveness": {"interactionsCount": 3},
    }
    config = plugin_config(plugins, LUNA_PASS={"env": env, "JWT": {"key": key}})
    played = play(config, lambda now, codes: Look(), seconds=0.3)
    writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))
    estimate = seen(Look(), Profile.ACTIVE)
    status = writer.status(2, estimate, played.last, played.session.context.data)
    details = json.loads(status)["body"]["details"]
    assert set(details) - {"faceFramePosition"} == shown
    assert details["activeLiveness"].items() >= {"action": 1, "actions": 3}.items()


@pytest.mark.parametrize(
    ("names", "expected"),
    [("1.x", "GlassesEstimation.EyeGlasses"), ("2.x", "eyeglasses")],
)
def test_glasses_use_the_configured_names(names: str, expected: str) -> None:
    """A server written for LUNA PASS 1.x finds its own names in the status and the token."""
    key = "0123456789abcdef0123456789abcdef0123456789abcdef"
    section = {"env": "development", "glassesNames": names, "JWT": {"key": key}}
    config = plugin_config({}, LUNA_PASS=section)
    played = play(config, lambda now, codes: Look())
    context = played.session.context
    assert context.best is not None
    context.best = replace(context.best, glasses="eyeglasses")
    writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))
    status = json.loads(writer.status(1, context.best, played.last, context.data))
    result = json.loads(writer.result(played.session, played.last))
    claims = jwt.decode(result["body"]["jwt"], options={"verify_signature": False})
    for schema, document in (("status", status["body"]), ("token", claims)):
        assert document["details"]["eyeglasses"] == expected
        Draft202012Validator(documents()[f"{schema}.schema.json"]).validate(document)


def test_the_token_describes_the_received_file() -> None:
    """It has the digest, size and format of the client's file, beside the image shown."""
    played = play(plugin_config({}), lambda now, codes: Look())
    best = played.kept
    assert best is not None
    token = json.loads(played.result)["body"]["jwt"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert base64.b64decode(claims["bestshot"]) == best.image
    assert claims["bestshotSource"] == best.source.claim()
    assert set(claims["bestshotSource"]) == {"sha256", "bytes", "format"}
