"""A service with a password, for clients, operators and the browser of a kiosk."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lunapass_client import SyncClient
from tests.support.browser import browsing
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

SETTINGS = """
[MIDDLEWARES.REQUEST.BasicAuth]
isEnabled = 1
args.username = "kiosk"
args.password = "s3cret"
"""
RIGHT = ("kiosk", "s3cret")
PROXIED = {"X-Forwarded-For": "192.0.2.7"}
OPENS = """() => new Promise(done => {
  const socket = new WebSocket(`ws://${location.host}/ws`, "lpproto.v1")
  socket.onopen = () => done("open")
  socket.onclose = () => done("refused")
})"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SETTINGS, workers=1) as started:
        yield started


def test_a_client_with_the_password_gets_its_token(service: Service) -> None:
    """The library's client sends the password with the upgrade request."""
    with SyncClient(service.url, username=RIGHT[0], password=RIGHT[1]) as client:
        assert client.check(stamped_jpeg(1, 200) for _ in range(10)).accepted


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic a2lvc2s6eA=="}])
def test_no_other_client_gets_a_socket(service: Service, headers: dict[str, str]) -> None:
    """401 before the upgrade, with the challenge."""
    with pytest.raises(InvalidStatus) as caught:
        connect(service.url, additional_headers=headers)
    assert caught.value.response.status_code == http.client.UNAUTHORIZED
    assert "WWW-Authenticate" in caught.value.response.headers


def test_operators_pages_need_the_password(service: Service) -> None:
    """This holds through a proxy, too.

    Probes and public keys are open, and this machine needs no password.
    """
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", trust_env=False) as http_client:
        for path in ("/status", "/statistics", "/metrics"):
            refused = http_client.get(path, headers=PROXIED)
            assert refused.status_code == http.client.UNAUTHORIZED
            assert http_client.get(path, headers=PROXIED, auth=RIGHT).status_code == http.client.OK
            assert http_client.get(path).status_code == http.client.OK
        for path in ("/healthz", "/readyz", "/.well-known/jwks.json"):
            assert http_client.get(path, headers=PROXIED).status_code == http.client.OK


def test_a_browser_sends_the_password_of_its_page(service: Service) -> None:
    """The browser asks for it once; the page's WebSocket then sends it automatically."""
    with browsing(None) as browser:
        page = browser.new_page()
        page.goto(f"http://kiosk:s3cret@127.0.0.1:{service.port}/")
        assert page.evaluate(OPENS) == "open"
        stranger = browser.new_context().new_page()
        stranger.goto(f"http://127.0.0.1:{service.port}/healthz")
        assert stranger.evaluate(OPENS) == "refused"
        with pytest.raises(Exception, match="ERR_INVALID_AUTH_CREDENTIALS"):
            stranger.goto(f"http://127.0.0.1:{service.port}/")


def test_a_password_in_the_address_breaks_no_page(service: Service) -> None:
    """Translations and statistics load even if the page's URL contains the password."""
    address = f"http://kiosk:s3cret@127.0.0.1:{service.port}"
    with browsing(None) as browser:
        page = browser.new_page()
        page.goto(f"{address}/?lang=es")
        page.wait_for_selector("#begin:enabled")
        assert page.inner_text("#begin") == "Empezar"
        page.goto(f"{address}/status")
        page.wait_for_selector("#uptime:not(:text-is('-'))")
        assert page.inner_text("#fault") == ""
