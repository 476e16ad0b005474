"""Kiosk mode: a screen that is always on and that many people touch."""

from __future__ import annotations

from typing import Any

from tests.support.browser import Kiosk, serious
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg
from tests.support.service import Service

LIVE = 30
SPY = """
    window.awake = 0;
    Object.defineProperty(navigator, "wakeLock", {value: {request: async () => { awake += 1; }}});
    window.filled = 0;
    Element.prototype.requestFullscreen = async () => { filled += 1; };
    localStorage.setItem("lunapass.language", "es");
"""
"""Counts requests for wake lock and full screen; an earlier visitor has chosen Spanish."""
RECORD_COUNTDOWN = """() => {
    window.countdown = [];
    const place = document.getElementById("leaving");
    new MutationObserver(() => countdown.push(place.textContent)).observe(place, {childList: true});
}"""
LEFT = ("2 секунды", "1 секунду")
PREVENTED = """() => ["contextmenu", "dragstart", "selectstart"].map((name) => {
    const event = new Event(name, {bubbles: true, cancelable: true});
    document.querySelector("main").dispatchEvent(event);
    return event.defaultPrevented;
})"""


def test_one_person_after_another(browser: Any, service: Service, stamps: FakeCamera) -> None:
    """The screen returns to the start, then to rest, and keeps nothing of the last person."""
    stamps.show(filmed_jpeg(1, LIVE))
    query = "?kiosk=1&controls=language&restart=2&idle=2"
    kiosk = Kiosk(browser, service, query, script=SPY)
    page = kiosk.page
    page.wait_for_selector("#begin:enabled")
    assert page.inner_text("#begin") == "Start", "the last person's language does not count"
    assert page.evaluate("awake") == 1
    assert page.evaluate(PREVENTED) == [True] * 3
    assert page.locator("body").evaluate("(e) => getComputedStyle(e).userSelect") == "none"
    page.select_option("#language", "ru")
    page.evaluate(RECORD_COUNTDOWN)
    kiosk.start()
    kiosk.wait_end("done")
    assert page.evaluate("filled") >= 1
    assert not page.is_visible("#camera")
    assert not page.is_visible("#zoom")
    assert page.is_visible("#language")
    assert page.is_visible("#bestshot img")
    page.wait_for_selector("[data-screen=start]")
    page.wait_for_selector("#begin:text-is('Start')")
    assert page.evaluate("countdown") == [f"Возврат в начало через {n}" for n in LEFT]
    assert page.locator("#bestshot img").get_attribute("src") is None
    assert page.query_selector("video") is None
    page.wait_for_selector("[data-screen=idle]")
    page.wait_for_selector("text=Touch the screen to begin")
    assert serious(page) == []
    kiosk.shoot("idle-kiosk")
    page.mouse.click(10, 10)
    page.wait_for_selector("[data-screen=start]")
    assert page.inner_text("#begin") == "Start"
    assert page.evaluate("localStorage.getItem('lunapass.language')") == "es"
    assert kiosk.faults == []
