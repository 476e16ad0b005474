"""Bearer credentials of other servers."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from websockets.http11 import Request

from gateway.web.bearer import Bearer
from shared.bearer_keys import METRICS_PLACE
from shared.errors import ConfigError
from tests.support.visits import headers_of

KEY = "k" * 32


def request(*values: str) -> Request:
    return Request("/metrics", headers_of(*(("Authorization", value) for value in values)))


def test_the_correct_credential_is_accepted() -> None:
    """The scheme is case-insensitive."""
    bearer = Bearer(SecretStr(KEY), METRICS_PLACE)
    assert bearer.is_configured
    assert bearer.is_right(request(f"Bearer {KEY}"))
    assert bearer.is_right(request(f"bearer  {KEY} "))


@pytest.mark.parametrize(
    "values", [(), ("",), (KEY,), (f"Basic {KEY}",), (f"Bearer {KEY}", f"Bearer {KEY}")]
)
def test_any_other_credential_is_refused(values: tuple[str, ...]) -> None:
    """None, two, or another scheme."""
    assert not Bearer(SecretStr(KEY), METRICS_PLACE).is_right(request(*values))


@pytest.mark.parametrize("key", [None, SecretStr("")])
def test_without_a_configured_credential_none_is_accepted(key: SecretStr | None) -> None:
    """An empty credential does not match an absent one."""
    bearer = Bearer(key, METRICS_PLACE)
    assert not bearer.is_configured
    assert not bearer.is_right(request("Bearer "))
    assert not bearer.is_right(request())


def test_a_path_that_was_not_read_is_no_credential() -> None:
    """Anyone could guess it."""
    with pytest.raises(ConfigError, match="its file was not read"):
        Bearer(SecretStr("file:/etc/lunapass/scrape.token"), METRICS_PLACE)
