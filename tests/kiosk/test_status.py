"""The operator's page: live charts of the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.codes import Code
from tests.support.browser import Kiosk, page_errors_of, serious, shoot
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import Service
from tests.support.waiting import wait_for

COUNT_FETCHES = """
    window.asked = 0;
    const {fetch} = window;
    window.fetch = (...request) => { asked += 1; return fetch(...request); };
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with filming(workers=2) as started:
        yield started


def points(page: Any, chart: str) -> list[float]:
    """Heights of a chart's first line above its lowest point."""
    line = page.get_attribute(f"#{chart} path", "d") or ""
    heights = [float(height) for height in re.findall(r",([\d.]+)", line)]
    return [max(heights) - height for height in heights]


def test_an_operator_watches_a_session(service: Service, browser: Any, stamps: FakeCamera) -> None:
    """The charts show a check in another window, its refusals by name, and the workers by state."""
    kiosk = Kiosk(browser, service)
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    faults = page_errors_of(page)
    page.goto(f"http://127.0.0.1:{service.port}/status")
    kiosk.start()
    page.wait_for_selector("text=32 Liveness too low")
    wait_for(lambda: "open: 1" in page.inner_text("#sessions .legend"))
    wait_for(lambda: max(points(page, "frames"), default=0) > 0)
    assert page.locator("#workers tr").count() == 2
    assert page.inner_text("#aggregator") == "up"
    stamps.show(filmed_jpeg(1, 30))
    kiosk.wait_end("done")
    wait_for(lambda: page.inner_text("#accepted") == "1")
    assert (page.inner_text("#refused"), page.inner_text("#left")) == ("0", "0")
    wait_for(lambda: page.locator("#recent tr").count() == 1)
    assert page.locator("#recent td").all_inner_texts()[1] == "accepted"
    wait_for(lambda: "%" in page.inner_text("#workers tr:first-child"))
    assert int(page.inner_text("#received")) >= int(page.inner_text("#judged")) > 0
    assert page.locator("#frames text").count() == 8, "three values and five minutes"
    fits = "[document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
    assert page.evaluate(fits) == [1080, 1920]
    wait_for(lambda: "without verdict: 0" in page.inner_text("#sessions .legend"))
    wait_for(lambda: "received: 0 /s" in page.inner_text("#frames .legend"))
    shoot(page, "status")
    assert serious(page) == []
    assert faults == []


def test_an_unresponsive_service_is_reported(service: Service, browser: Any) -> None:
    """Old numbers must not pass for new ones: the error is shown, and disappears afterwards."""
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{service.port}/status")
    wait_for(lambda: page.inner_text("#uptime") != "-")
    page.route("**/statistics", lambda route: route.fulfill(status=500))
    page.wait_for_selector("text=No statistics: the service answered 500")
    page.unroute("**/statistics")
    page.wait_for_selector("#fault:empty", state="attached")


def test_requests_do_not_overtake_each_other(service: Service, browser: Any) -> None:
    """The page waits for a slow answer; late answers would mix up the charts."""
    page = browser.new_page()
    page.route("**/statistics", lambda route: None)
    page.add_init_script(COUNT_FETCHES)
    page.clock.install()
    page.goto(f"http://127.0.0.1:{service.port}/status")
    wait_for(lambda: page.evaluate("asked") == 1)
    page.clock.run_for(4500)  # the page gives up after 5 s
    assert page.evaluate("asked") == 1


def test_a_client_of_a_proxy_is_refused(service: Service) -> None:
    """The page is served only to this machine."""
    url = f"http://127.0.0.1:{service.port}/status"
    assert httpx.get(url, trust_env=False).status_code == 200
    forwarded = httpx.get(url, headers={"X-Forwarded-For": "203.0.113.9"}, trust_env=False)
    assert forwarded.status_code == 403


def test_every_failed_check_has_its_name(service: Service, browser: Any) -> None:
    """A code without a prompt is not shown as good; an unknown one has no name."""
    page = browser.new_page()
    asked: list[int] = []

    def grow(route: Any) -> None:
        asked.append(1)
        counts = {str(int(code)): len(asked) for code in [*Code, 99]}
        route.fulfill(json=service.get("/statistics").json() | {"failedChecks": counts})

    page.route("**/statistics", grow)
    page.goto(f"http://127.0.0.1:{service.port}/status")
    page.wait_for_selector("#checks tr")
    names = dict(row.split(" ", 1) for row in page.locator("#checks th").all_text_contents())
    assert names.pop("99") == ""
    assert len(names) == len(Code)
    assert [code for code, name in names.items() if not name or "Good" in name] == []
