"""The page for people: keyboards, screen readers, languages, and screens of all sizes."""

from __future__ import annotations

from typing import Any

import pytest

from shared.codes import Code
from tests.support.browser import OUTSIDE, Kiosk, serious
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg
from tests.support.service import Service
from tests.support.stage import Stage, token_with
from tests.support.waiting import wait_for

SIZES = {
    "phone": (390, 844),
    "small-phone": (320, 568),
    "phone-landscape": (844, 390),
    "kiosk": (1080, 1920),
    "landscape": (1920, 1080),
    "4k": (3840, 2160),
}
LANGUAGES_BY_SIZE = {
    "phone": "kk",
    "small-phone": "de",
    "phone-landscape": "fr",
    "kiosk": "pt",
    "landscape": "uz",
    "4k": "de",
}
"""The smaller the screen, the longer the words."""
ARROW_LEFT = "M42 24H8M20 11L7 24l13 13"

UNPLUG = """() => {
  const [track] = document.querySelector("video").srcObject.getVideoTracks();
  track.dispatchEvent(new Event("ended"));
}"""
"""Ends the check like an unplugged camera."""


RECORD_FRAMES = """() => {
    window.frames_sent = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        if (data instanceof Blob) createImageBitmap(data).then(
            ({width, height}) => window.frames_sent.push([width, height]));
        return send.call(this, data);
    };
}"""

HINT_BY_PLACE = {
    12: "left",
    13: "right",
    16: "left",
    17: "right",
    18: "left",
    19: "right",
    14: "down",
    15: "up",
    11: "checking",
}
"""Nine places (``PLACES``). Each hint differs from the previous one, so a stale one is detected.
In a corner the face is further out sideways than up or down, in widths and heights of the oval.
"""


@pytest.mark.parametrize("name", SIZES)
def test_every_screen_shows_everything(browser: Any, service: Service, name: str) -> None:
    """At each size nothing is cut off; from kiosk size on, a hint is readable from a distance."""
    kiosk = Kiosk(browser, service, f"?lang={LANGUAGES_BY_SIZE[name]}", SIZES[name])
    kiosk.page.wait_for_selector("#begin:enabled")
    assert kiosk.page.get_attribute("html", "lang") == LANGUAGES_BY_SIZE[name]
    assert kiosk.page.evaluate(OUTSIDE) == []
    assert "phone" in name or kiosk.fits(), "people scroll on a phone, not on a kiosk"
    kiosk.shoot(f"start-{name}")
    kiosk.start()
    kiosk.wait_hint("checking")
    assert kiosk.page.evaluate(OUTSIDE) == []
    words = kiosk.page.locator(".lp-words")
    share = float(words.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)"))
    assert share / min(SIZES[name]) > 0.045
    kiosk.shoot(f"check-{name}")
    kiosk.page.close()


def test_refused_liveness_is_not_shown_as_good(browser: Any, service: Service) -> None:
    """A person whose frames are not judged live sees that they are checked, then what helps."""
    kiosk = Kiosk(browser, service, "?advice=2", SIZES["phone"])
    kiosk.page.evaluate(
        """() => {
            window.hints = [];
            new MutationObserver(() => {
                const shown = document.querySelector(".lp-renderer")?.dataset.hint;
                if (shown) hints.push(shown);
            }).observe(document.getElementById("stage"),
                {childList: true, subtree: true, attributeFilter: ["data-hint"]});
        }"""
    )
    kiosk.start()
    kiosk.wait_hint("checking")
    kiosk.shoot("checking-phone")
    kiosk.wait_hint("adviceLight")
    kiosk.shoot("advice-phone")
    assert "hold" not in kiosk.page.evaluate("hints")
    kiosk.page.close()


def test_the_oval_is_green_only_around_a_face(
    browser: Any, service: Service, stamps: FakeCamera
) -> None:
    """A face beside the oval gets a hint into it, although the service would accept it.

    The image is sent in the same proportions as shown, with the oval in its centre.
    """
    stamps.show(filmed_jpeg(12, 1))
    kiosk = Kiosk(browser, service, size=(900, 1400))
    kiosk.page.evaluate(RECORD_FRAMES)
    kiosk.start()
    for person, hint in HINT_BY_PLACE.items():
        stamps.show(filmed_jpeg(person, 1))
        kiosk.wait_hint(hint)
    box = kiosk.page.locator("video").evaluate("(e) => [e.clientWidth, e.clientHeight]")
    width, height = kiosk.page.evaluate("window.frames_sent.at(-1)")
    assert width / height == pytest.approx(box[0] / box[1], rel=0.05)
    assert width < 640
    centres = kiosk.page.evaluate(
        """() => ["video", ".lp-oval"].map((name) => {
            const {x, y, width, height} = document.querySelector(name).getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        })"""
    )
    assert centres[0] == pytest.approx(centres[1], abs=2)
    kiosk.page.evaluate("document.querySelector('.lp-bubble').style.paddingBlock = '8vh'")
    sent = kiosk.page.evaluate("window.frames_sent.length")
    wait_for(lambda: kiosk.page.evaluate("window.frames_sent.length") > sent + 3)
    shapes = [wide / high for wide, high in kiosk.page.evaluate("window.frames_sent")]
    assert max(shapes) / min(shapes) == pytest.approx(1, abs=0.02), (
        "a longer text does not change the image"
    )
    kiosk.page.close()


def test_arabic_reads_from_the_right(browser: Any, service: Service, stamps: FakeCamera) -> None:
    """The whole text is on the screen, the footer starts at the right, and left remains left."""
    kiosk = Kiosk(browser, service, "?lang=ar", SIZES["small-phone"])
    kiosk.page.wait_for_selector("html[lang=ar][dir=rtl] #begin:enabled")
    assert kiosk.page.evaluate(OUTSIDE) == []
    kiosk.shoot("start-rtl")
    stamps.show(filmed_jpeg(12, 1))
    kiosk.start()
    kiosk.wait_hint("left")
    assert kiosk.page.evaluate(OUTSIDE) == []
    sides = "['language', 'zoom'].map((id) => document.getElementById(id).offsetLeft)"
    language, zoom = kiosk.page.evaluate(sides)
    assert zoom < language
    assert kiosk.page.inner_text(".lp-words") == "تحرك قليلًا إلى اليسار"
    assert kiosk.page.get_attribute(".lp-picture path", "d") == ARROW_LEFT
    scale = "new DOMMatrix(getComputedStyle(document.querySelector('.lp-picture svg')).transform).a"
    assert kiosk.page.evaluate(scale) > 0, "no style mirrors the arrow"
    kiosk.shoot("check-rtl")
    kiosk.page.close()


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("ar", "light"), ("ru", "light")])
def test_no_serious_accessibility_problem(
    browser: Any, service: Service, language: str, theme: str
) -> None:
    """axe-core finds nothing serious on the first, the middle and the last screen of each kind."""
    kiosk = Kiosk(browser, service, f"?lang={language}&theme={theme}")
    page, stage = kiosk.page, Stage(kiosk.page)
    page.wait_for_selector(f"html[lang={language}] #begin:enabled")
    assert serious(page) == []
    stage.errors = [Code.ASK_TURN_LEFT]
    stage.details = {"activeLiveness": {"action": 1, "actions": 2, "seconds": 9, "secondsLeft": 5}}
    kiosk.start()
    kiosk.wait_hint("turnLeft")
    assert serious(page) == []
    if language == "en":
        page.evaluate(UNPLUG)
        kiosk.wait_end("problem")
    elif language == "ar":
        stage.decide(Code.TOO_MANY_REFUSALS)
        kiosk.wait_end("failed")
    else:
        stage.decide(token=token_with(filmed_jpeg(1, 1), (220, 140, 200, 200), (640, 480)))
        kiosk.wait_end("done")
    assert serious(page) == []
    assert kiosk.faults == []
    page.close()


def test_a_chosen_language_is_kept(browser: Any, service: Service) -> None:
    """The language list changes all texts, even during a check, and the page remembers it."""
    kiosk = Kiosk(browser, service)
    kiosk.start()
    kiosk.wait_hint("checking")
    kiosk.page.select_option("#language", "es")
    wait_for(
        lambda: kiosk.page.locator(".lp-words").all_inner_texts() == ["No se mueva, comprobando"]
    )
    kiosk.page.reload()
    wait_for(lambda: kiosk.page.inner_text("#begin") == "Empezar")
    kiosk.page.close()


def test_the_page_works_with_the_keyboard_alone(browser: Any, service: Service) -> None:
    """Tab and Enter start a check, arrows zoom, Escape ends it, and the focus follows."""
    kiosk = Kiosk(browser, service, size=SIZES["landscape"])
    page = kiosk.page
    page.wait_for_selector("#begin:enabled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    kiosk.wait_hint("checking")
    assert page.evaluate("document.activeElement.id") == "check-title"
    page.focus("#zoom")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.input_value("#zoom") == "2"
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-screen=start]")
    assert page.evaluate("document.activeElement.id") == "title"
    assert page.query_selector("video") is None
    page.close()


def test_a_screen_reader_announces_the_hint(browser: Any, service: Service) -> None:
    """The hint is in a polite live region, and images are not announced."""
    kiosk = Kiosk(browser, service)
    kiosk.start()
    kiosk.wait_hint("checking")
    region = kiosk.page.get_by_role("status")
    assert region.inner_text().strip() == "Hold still, checking"
    hidden = "[...document.querySelectorAll('svg, video')].every((e) => e.ariaHidden === 'true')"
    assert kiosk.page.evaluate(hidden)
    kiosk.page.close()


def test_reduced_motion_is_respected(browser: Any, service: Service) -> None:
    """Nothing moves if the system asks for reduced motion.

    Otherwise all waits have a moving ring.
    """
    kiosk = Kiosk(browser, service)
    kiosk.page.emulate_media(reduced_motion="reduce")
    kiosk.start()
    kiosk.wait_hint("checking")
    moving = """() => [".lp-picture svg", ".lp-oval ellipse"].map((name) =>
        getComputedStyle(document.querySelector(name)).animationName)"""
    assert kiosk.page.evaluate(moving) == ["none", "none"]
    kiosk.page.emulate_media(reduced_motion="no-preference")
    assert kiosk.page.evaluate(moving) == ["lp-turn", "lp-run"]
    kiosk.page.close()


def test_another_camera_may_be_chosen(browser: Any, service: Service) -> None:
    """The list names the cameras; a choice restarts the check with that one."""
    kiosk = Kiosk(browser, service)
    kiosk.start()
    kiosk.wait_hint("checking")
    assert kiosk.page.locator("#camera option").count() >= 1
    with kiosk.page.expect_websocket():
        kiosk.page.dispatch_event("#camera", "change")
    kiosk.wait_hint("checking")
    assert kiosk.page.locator("video").count() == 1
    kiosk.page.close()


def test_the_last_chosen_language_counts(browser: Any, service: Service) -> None:
    """Texts that arrive late, over a slow network, do not replace those chosen since."""
    kiosk = Kiosk(browser, service)
    held: list[Any] = []
    kiosk.page.route("**/texts/es.json", lambda route: held.append(route))
    with kiosk.page.expect_request("**/texts/es.json"):
        kiosk.page.select_option("#language", "es")
    kiosk.page.select_option("#language", "ru")
    kiosk.page.wait_for_selector("#begin:text-is('Начать')")
    with kiosk.page.expect_response("**/texts/es.json") as late:
        held[0].continue_()
    late.value.finished()
    kiosk.page.wait_for_timeout(200)
    assert kiosk.page.inner_text("#begin") == "Начать"
    assert kiosk.page.input_value("#language") == kiosk.page.get_attribute("html", "lang") == "ru"
    kiosk.page.close()


def test_missing_texts_are_replaced_by_english(browser: Any, service: Service) -> None:
    """The page declares the language to screen readers."""
    kiosk = Kiosk(browser, service)
    kiosk.page.route("**/texts/es.json", lambda route: route.abort())
    with kiosk.page.expect_event("requestfailed"):
        kiosk.page.select_option("#language", "es")
    kiosk.page.wait_for_timeout(200)
    assert kiosk.page.inner_text("#begin") == "Start"
    assert kiosk.page.get_attribute("html", "lang") == "en"
    kiosk.page.close()


QUICK_TIMEOUTS = """
    const timeout = AbortSignal.timeout;
    AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 50);
"""


def test_texts_that_never_arrive_delay_no_check(browser: Any, service: Service) -> None:
    """A check can be started although the service does not answer the request for them."""
    page = browser.new_page()
    page.add_init_script(QUICK_TIMEOUTS)
    page.route("**/texts/es.json", lambda route: None)
    page.route("**/page.json", lambda route: None)
    page.goto(f"http://127.0.0.1:{service.port}/?lang=es")
    page.wait_for_selector("#begin:enabled")
    page.close()


def test_the_last_screen_changes_its_language_too(browser: Any, service: Service) -> None:
    """The outcome is shown in the language chosen then; the longest text fits a wide screen."""
    kiosk = Kiosk(browser, service, size=SIZES["landscape"])
    stage = Stage(kiosk.page)
    kiosk.start()
    kiosk.wait_hint("checking")
    stage.decide(Code.LOW_LIVENESS, Code.TOO_MANY_REFUSALS)
    kiosk.wait_end("failed")
    kiosk.page.select_option("#language", "de")
    wait_for(lambda: kiosk.page.inner_text("#again") == "Noch einmal")
    assert kiosk.page.inner_text("#outcome") == "Wir konnten Sie nicht bestätigen"
    assert kiosk.page.inner_text("#help").startswith("Spiegelnde Brille abnehmen.")
    assert kiosk.fits()
    kiosk.shoot("end-other-language")
    kiosk.page.close()
