"""Failures between a person and the verdict, each with its own text on the screen."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.support.browser import DENY, Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import KEY, Service
from tests.support.waiting import wait_for

LIVE = 30


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with filming() as started:
        yield started


def checking(service: Service, browser: Any, query: str = "") -> Kiosk:
    """A page in the middle of a check."""
    kiosk = Kiosk(browser, service, query, size=(540, 960))
    kiosk.start()
    kiosk.wait_hint("checking")
    return kiosk


def test_a_missing_camera_is_reported(service: Service) -> None:
    """The page says what to do, and offers another attempt."""
    with browsing(None) as browser:
        kiosk = Kiosk(browser, service, size=(540, 960))
        kiosk.start()
        assert kiosk.wait_end("problem").startswith("No camera was found")
        assert kiosk.page.is_visible("#again")
        kiosk.shoot("failure-no-camera")


def test_permission_denied(service: Service, stamps: FakeCamera) -> None:
    """The page says in the person's language that the camera is not allowed."""
    with browsing(stamps, permission=DENY) as browser:
        kiosk = Kiosk(browser, service, "?lang=es", size=(540, 960))
        kiosk.start()
        assert kiosk.wait_end("problem").startswith("El acceso a la cámara está bloqueado")
        kiosk.shoot("failure-permission-denied")


def test_a_killed_gateway_is_resumed(service: Service, browser: Any, stamps: FakeCamera) -> None:
    """The gateway dies in the middle: the page reports it, resumes, and ends with the verdict."""
    kiosk = checking(service, browser)
    os.kill(service.pids("gateway")[0], signal.SIGKILL)
    kiosk.page.wait_for_selector("text=/Connection lost. Reconnecting, [1-9]/")
    ring = "getComputedStyle(document.querySelector('.lp-oval ellipse')).animationName"
    assert kiosk.page.evaluate(ring) == "lp-run"
    kiosk.shoot("failure-reconnecting")
    kiosk.wait_hint("checking")
    stamps.show(filmed_jpeg(1, LIVE))
    kiosk.wait_end("done")
    claims = jwt.decode(kiosk.verdict["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["isOk"] is True


def test_a_forgotten_session_is_started_again(
    service: Service, browser: Any, stamps: FakeCamera
) -> None:
    """Gateway and aggregator die together: the session is lost, and the check still succeeds."""
    kiosk = checking(service, browser)
    for role in ("aggregator", "gateway"):
        os.kill(service.pids(role)[0], signal.SIGKILL)
    kiosk.page.wait_for_selector("text=Connection lost")
    stamps.show(filmed_jpeg(1, LIVE))
    kiosk.wait_end("done")


def test_the_page_has_its_own_timeout(service: Service, browser: Any, stamps: FakeCamera) -> None:
    """A check without a verdict ends by it; "try again" then succeeds."""
    kiosk = Kiosk(browser, service, "?timeout=60", size=(540, 960))
    kiosk.page.clock.install()
    kiosk.page.reload()
    kiosk.start()
    kiosk.wait_hint("checking")
    kiosk.page.clock.fast_forward(60_000)
    assert kiosk.wait_end("problem").startswith("That took too long")
    kiosk.shoot("failure-timeout")
    stamps.show(filmed_jpeg(1, LIVE))
    kiosk.page.click("#again")
    kiosk.wait_end("done")


def test_a_full_service_and_one_that_ends_the_session(browser: Any, stamps: FakeCamera) -> None:
    """The service ends the first page's session by its own timeout.

    The second page finds it full.
    """
    settings = "[LIMITS]\nsessions = 1\nsessionSeconds = 12"
    with filming(settings) as small:
        second = Kiosk(browser, small, size=(540, 960))
        first = checking(small, browser)
        second.start()
        assert second.wait_end("problem").startswith("The service is busy")
        second.shoot("failure-server-full")
        assert first.wait_end("failed") == "Time is up. Please try again."
        first.shoot("failure-time-is-up")


def test_an_address_with_too_many_refusals(browser: Any, stamps: FakeCamera) -> None:
    """The page does not say that the service is full: waiting a moment would not help."""
    settings = "[LIMITS]\nlivenessRefusals = 1\nrefusedSessionsPerAddress = 1"
    with filming(settings) as strict:
        kiosk = Kiosk(browser, strict, size=(540, 960))
        stamps.show(filmed_jpeg(1, 1))
        kiosk.start()
        assert kiosk.wait_end("failed").startswith("We couldn't confirm you. Take off")
        kiosk.page.click("#again")
        kiosk.page.wait_for_selector("text=Too many unsuccessful checks")
        assert re.fullmatch(r"You can try again at \d\d:\d\d\.", kiosk.page.inner_text("#help"))
        assert not kiosk.page.is_visible("#again"), "another attempt cannot help"
        assert kiosk.page.inner_text("#next") == "Back to the start"
        kiosk.shoot("failure-too-many-refusals")


def test_a_lost_service_ends_the_check(browser: Any, stamps: FakeCamera) -> None:
    """If the service does not return, the check ends with an error that says so."""
    quick = "[LIMITS]\ndrainSeconds = 0.1"
    with filming(quick) as gone:
        kiosk = checking(gone, browser, "?patience=2")
        gone.process.send_signal(signal.SIGTERM)
        wait_for(lambda: gone.process.poll() is not None)
        assert kiosk.wait_end("problem").startswith("The connection was lost")
        kiosk.shoot("failure-service-gone")
