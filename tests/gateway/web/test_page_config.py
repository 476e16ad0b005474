"""The check of the operator's page.json: unusable values prevent the start."""

from __future__ import annotations

import json
import re

import pytest

from gateway.web.page_config import check_page_config
from shared.errors import ResourceError
from tests.support.service import ROOT


def test_the_example_of_the_docs_is_valid() -> None:
    """An operator can start from it."""
    text = (ROOT / "docs" / "browser.md").read_text()
    (example,) = re.findall(r"^```json\n(\{\n  \"parameters\".*?)^```", text, re.M | re.S)
    check_page_config(example.encode(), None)


@pytest.mark.parametrize("content", ["{", "[]", '"kiosk=1"', "", '{"logo": {"alt": "é"}}'])
def test_a_file_that_is_no_json_object_is_refused(content: str) -> None:
    """Latin-1 is not JSON."""
    with pytest.raises(ResourceError, match=r"page\.json"):
        check_page_config(content.encode("latin-1"), None)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"logo": None}, "$.logo"),
        ({"logo": {"light": 1}}, "$.logo.light"),
        ({"font": {"family": "Own Sans"}}, "$.font"),
        ({"font": {"family": "Own Sans", "files": ["own.woff2"]}}, "$.font.files"),
        ({"colors": {"dark": None}}, "$.colors[...]"),
        ({"parameters": ["kiosk=1"]}, "$.parameters"),
        ({"texts": {"de": "Beispielbank"}}, "$.texts[...]"),
        ({"consent": "1"}, "$.consent"),
        ({"consent": {"version": "1", "texts": {"en": None}}}, "$.consent.texts[...]"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(content: object, place: str) -> None:
    """The error names its place. The page would stay blank for most of them."""
    with pytest.raises(ResourceError, match=re.escape(f"at `{place}`")):
        check_page_config(json.dumps(content).encode(), "1")


def test_deep_values_are_refused() -> None:
    """They exhaust the parser's stack, which must not prevent the start without a message."""
    with pytest.raises(ResourceError, match=r"page\.json"):
        check_page_config(b'{"texts": {"de": {"title": ' + b"[" * 9999, None)


@pytest.mark.parametrize(
    "content",
    ['{"unknown": [1]}', '{"colors": {"light": {"ground": "?"}}}', '{"parameters": {"kiosk": 1}}'],
)
def test_unknown_keys_are_accepted(content: str) -> None:
    """The page reports unknown keys and colours on its console, and works."""
    check_page_config(content.encode(), None)


@pytest.mark.parametrize(
    ("content", "version"),
    [
        ('{"consent": {"version": "1", "texts": {}}}', "2"),
        ('{"consent": {"version": "1", "texts": {}}}', None),
        ('{"consent": {}}', "1"),
    ],
)
def test_another_consent_text_is_refused(content: str, version: str | None) -> None:
    """Otherwise each person would accept a text, and then be refused."""
    with pytest.raises(ResourceError, match=r"consent\.version is"):
        check_page_config(content.encode(), version)


@pytest.mark.parametrize("content", ['{"consent": {"version": "1", "texts": {}}}', "{}"])
def test_the_same_consent_text_or_none_is_accepted(content: str) -> None:
    """The operator's own pages may show it instead."""
    check_page_config(content.encode(), "1")
