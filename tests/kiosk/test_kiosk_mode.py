"""Kiosk mode: a screen that is always on and used by many people."""

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
RECORD_SCREENS = """() => {
    window.countdown = [];
    const place = document.getElementById("leaving");
    new MutationObserver(() => countdown.push(place.textContent)).observe(place, {childList: true});
    window.screens = [];
    new MutationObserver(() => screens.push({
        name: document.body.dataset.screen,
        photo: document.querySelector("#bestshot img").hasAttribute("src"),
        shown: ["camera", "zoom", "language", "bestshot"].filter(
            (id) => document.getElementById(id).checkVisibility()),
    })).observe(document.body, {attributeFilter: ["data-screen"]});
}"""
"""Records what a slow machine would miss: the screens change by themselves."""
START_IN_RUSSIAN = """async () => {
    const begin = document.getElementById("begin");
    const language = document.getElementById("language");
    document.getElementById("wake").click();
    language.value = "ru";
    language.dispatchEvent(new Event("change"));
    while (begin.textContent !== "Начать") await new Promise((done) => setTimeout(done, 10));
    begin.click();
}"""
"""In one step: on a slow machine the idle screen could appear between two steps."""
LEFT = ("2 секунды", "1 секунду")
PREVENTED = """() => ["contextmenu", "dragstart", "selectstart"].map((name) => {
    const event = new Event(name, {bubbles: true, cancelable: true});
    document.querySelector("main").dispatchEvent(event);
    return event.defaultPrevented;
})"""


def test_one_person_after_another(browser: Any, service: Service, stamps: FakeCamera) -> None:
    """The screen returns to the start, then to idle, and keeps no data of the last person."""
    stamps.show(filmed_jpeg(1, LIVE))
    query = "?kiosk=1&controls=language&restart=2&idle=3"
    kiosk = Kiosk(browser, service, query, script=SPY)
    page = kiosk.page
    page.wait_for_selector("#begin:enabled")
    assert page.text_content("#begin") == "Start", "the last person's language is not kept"
    assert page.evaluate("awake") == 1
    assert page.evaluate(PREVENTED) == [True] * 3
    assert page.locator("body").evaluate("(e) => getComputedStyle(e).userSelect") == "none"
    page.evaluate(RECORD_SCREENS)
    page.evaluate(START_IN_RUSSIAN)
    page.wait_for_selector("[data-screen=idle]")
    assert page.evaluate("screens.slice(-4)") == [
        {"name": "check", "photo": False, "shown": ["language"]},
        {"name": "end", "photo": True, "shown": ["language", "bestshot"]},
        {"name": "start", "photo": False, "shown": ["language"]},
        {"name": "idle", "photo": False, "shown": []},
    ]
    assert page.evaluate("countdown") == [f"Возврат в начало через {n}" for n in LEFT]
    assert page.evaluate("filled") >= 1
    assert page.query_selector("video") is None
    page.wait_for_selector("text=Touch the screen to begin")
    assert serious(page) == []
    kiosk.shoot("idle-kiosk")
    page.mouse.click(10, 10)
    page.wait_for_selector("[data-screen=start]")
    assert page.inner_text("#begin") == "Start"
    assert page.evaluate("localStorage.getItem('lunapass.language')") == "es"
    assert kiosk.faults == []


def test_the_consent_stays_while_it_is_read(browser: Any, service: Service) -> None:
    """A touch, such as scrolling, keeps the text on the screen.

    Without one the start screen returns.
    """
    text = {"version": "1", "texts": {"en": "We take photos of you."}}
    kiosk = Kiosk(browser, service, "?kiosk=1&idle=60", script=SPY)
    page = kiosk.page
    page.route("**/page.json", lambda route: route.fulfill(json={"consent": text}))
    page.clock.install()
    page.reload()
    kiosk.start()
    page.wait_for_selector("[data-screen=consent]")
    for _ in range(3):
        page.clock.fast_forward(50_000)
        page.mouse.click(10, 10)
    assert page.get_attribute("body", "data-screen") == "consent"
    page.clock.fast_forward(60_000)
    page.wait_for_selector("[data-screen=start]")
    assert kiosk.faults == []
