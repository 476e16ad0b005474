"""A session starts only with consent to the current text, and the consent is recorded with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.web.consent import required_version, with_consent
from gateway.web.static_files import read
from shared.config.service import Config, KioskSection
from shared.wire.messages import MAX_START_CHARS
from shared.wire.protocol import ProtocolError
from tests.support.docs import toml_example
from tests.support.service import ROOT

PLUGINS = (ROOT / "docs" / "plugins.md").read_text()
NOW = 1_764_000_000.5
VERSION = "2026-11"


def test_the_example_turns_it_on() -> None:
    """The section in the docs requires its version; the default requires none."""
    config = Config.model_validate(toml_example("plugins.md", "[MIDDLEWARES.REQUEST.Consent]"))
    assert required_version(config) == VERSION
    assert required_version(Config()) is None


def test_the_example_of_the_page_has_the_same_version(tmp_path: Path) -> None:
    """A service with both examples of the docs starts and serves the text."""
    (example,) = re.findall(r"^```json\n(\{\n  \"consent\".*?)^```", PLUGINS, re.M | re.S)
    (tmp_path / "page.json").write_text(example)
    files = read(KioskSection(branding=str(tmp_path)), VERSION)
    assert json.loads(files["/page.json"].body)["consent"]["texts"].keys() >= {"en"}


def test_consent_is_added_to_the_claims_of_the_start_token() -> None:
    """The session starts with both; the time is in whole seconds."""
    start = with_consent(VERSION, '{"sub": "anna"}', {"version": VERSION, "at": NOW})
    consent = {"version": VERSION, "at": int(NOW)}
    assert json.loads(start) == {"sub": "anna", "consent": consent}


@pytest.mark.parametrize("header", [None, {"version": VERSION, "at": NOW}, "x"])
def test_without_the_plugin_nothing_is_recorded(header: Any) -> None:
    """The service has not verified the version, so it does not sign it."""
    assert with_consent(None, "{}", header) == "{}"


@pytest.mark.parametrize(
    "header",
    [
        None,
        VERSION,
        [VERSION, NOW],
        {},
        {"version": VERSION},
        {"at": NOW},
        {"version": "2026-10", "at": NOW},
        {"version": [VERSION], "at": NOW},
        {"version": VERSION, "at": "now"},
        {"version": VERSION, "at": True},
        {"version": VERSION, "at": 0},
        {"version": VERSION, "at": -NOW},
        {"version": VERSION, "at": 1e300},
        {"version": VERSION, "at": 10**400},
        {"version": VERSION, "at": float("inf")},
        {"version": VERSION, "at": float("nan")},
    ],
)
def test_no_session_starts_without_current_consent(header: Any) -> None:
    """It is missing, of another version or without a time.

    The refusal names the required version.
    """
    with pytest.raises(ProtocolError) as refused:
        with_consent(VERSION, "{}", header)
    assert refused.value.code == "consent.required"


def test_the_size_of_the_claims_is_limited() -> None:
    """Claims that fit only without the consent are refused here and not by another role."""
    start = json.dumps({"sub": "s" * (MAX_START_CHARS - 20)})
    with pytest.raises(ProtocolError, match="no room"):
        with_consent(VERSION, start, {"version": VERSION, "at": NOW})
