"""The page as people meet it: keyboards, screen readers, languages, and screens of all sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.codes import Code
from tests.support.browser import Kiosk, faults_of, serious, shoot, until
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg
from tests.support.service import Service
from tests.support.stage import Stage, token_with

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
"""Ends the check as a camera does whose cable is pulled."""
OUTSIDE = """() => [...document.querySelectorAll("h1, p, button, select, .lp-words, .lp-oval")]
    .filter((element) => element.checkVisibility() && !element.closest(".unseen, .unseen *"))
    .filter((element) => {
        const {left, right, top, bottom} = element.getBoundingClientRect();
        return left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1;
    })
    .map((element) => element.outerHTML)"""


REFUSAL = json.dumps({"command": "ERROR", "headers": {}, "body": {"code": "consent.required"}})

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
"""Nine places (``PLACES``). Each hint differs from the one before, so that it cannot be its rest.

In a corner the face is further out sideways than up or down, in widths and heights of the oval.
"""


@pytest.mark.parametrize("name", SIZES)
def test_every_screen_shows_all(browser: Any, service: Service, name: str) -> None:
    """On each size nothing stands outside; from kiosks on, a hint is read from afar."""
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


def test_refused_liveness_is_not_called_good(browser: Any, service: Service) -> None:
    """A person whose pictures are not judged live sees that they are checked, then what helps."""
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
    """A face beside the oval is led into it; the service, which would accept it, does not decide.

    What is sent is what is shown, in the same proportions, and the oval is in its middle.
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
    until(lambda: kiosk.page.evaluate("window.frames_sent.length") > sent + 3)
    shapes = [wide / high for wide, high in kiosk.page.evaluate("window.frames_sent")]
    assert max(shapes) / min(shapes) == pytest.approx(1, abs=0.02), "a longer text changes no frame"
    kiosk.page.close()


def test_arabic_reads_from_the_right(browser: Any, service: Service, stamps: FakeCamera) -> None:
    """All is on the screen, the footer begins at the right, and left remains left."""
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


BRANDING = {
    "parameters": {"theme": "light", "lang": "de"},
    "colors": {"light": {"accent": "#7a0038", "ground": "#fff", "text": "red; x: url(/)"}},
    "logo": {"light": "own/logo.svg", "alt": "Example Bank"},
    "font": {"family": "Own Sans", "files": {"700": "own/bold.woff2"}},
    "texts": {"de": {"title": "Beispielbank", "hints": {"checking": "Moment"}, "other": "?"}},
}
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><path d="M0 0h9v3z"/></svg>'


def test_branding(browser: Any, service: Service) -> None:
    """page.json sets parameters, colours, logo, font and texts, under the page's strict policy.

    What it cannot set (an unknown colour, more than a colour) is reported and not applied.
    """
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    faults = faults_of(page)
    page.route("**/page.json", lambda route: route.fulfill(json=BRANDING))
    page.route("**/own/logo.svg", lambda r: r.fulfill(body=LOGO, content_type="image/svg+xml"))
    with page.expect_request("**/own/bold.woff2"):
        page.goto(f"http://127.0.0.1:{service.port}/?advice=0")
    page.wait_for_selector("h1:text-is('Beispielbank')")
    page.wait_for_selector("img[alt='Example Bank'][src='own/logo.svg']")
    style = "(e) => ((s) => [s.backgroundColor, s.fontFamily])(getComputedStyle(e))"
    colour, font = page.locator("#begin").evaluate(style)
    assert colour == "rgb(122, 0, 56)"
    assert font.startswith('"Own Sans", system-ui')
    assert page.inner_text("#begin") == "Start", "a text that is not replaced stays"
    assert serious(page) == []
    shoot(page, "branding")
    page.click("#begin")
    page.wait_for_selector(".lp-words:text-is('Moment')")
    assert [fault for fault in faults if "Content Security Policy" in fault] == []
    refused = [fault.split(": ")[2] for fault in faults if "not a colour" in fault]
    assert refused == ["ground", "text"]
    page.close()


def test_a_wrong_page_json_leaves_the_page_as_it_is(browser: Any, service: Service) -> None:
    """A web server that does not check it may serve it: a blank screen would help no person."""
    wrong = {"logo": None, "colors": None, "texts": [], "parameters": [1], "font": {}}
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    faults = faults_of(page)
    page.route("**/page.json", lambda route: route.fulfill(json=wrong))
    page.goto(f"http://127.0.0.1:{service.port}/")
    page.wait_for_selector("#begin:enabled")
    until(lambda: len(faults) == len(wrong))
    assert sorted(fault.split(": ")[1] for fault in faults) == sorted(wrong)
    page.close()


def test_a_page_follows_the_theme_of_the_system(browser: Any, service: Service) -> None:
    """Light and dark, also while it is open; more contrast replaces the colours of both."""
    kiosk = Kiosk(browser, service, size=SIZES["small-phone"])
    page = kiosk.page
    page.wait_for_selector("#begin:enabled")
    grounds = []
    for scheme, contrast in (("light", None), ("dark", None), ("dark", "more")):
        page.emulate_media(color_scheme=scheme, contrast=contrast)
        page.wait_for_selector(f"html[data-theme={scheme}]", state="attached")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(244, 247, 251)", "rgb(11, 21, 35)", "rgb(0, 0, 0)"]
    assert serious(page) == []
    page.close()


RECORD_CUES = """
    window.cues = [];
    const set = AudioParam.prototype.setValueAtTime;
    AudioParam.prototype.setValueAtTime = function (value, time) {
        if (value > 100) cues.push(value);
        return set.call(this, value, time);
    };
    navigator.vibrate = (pattern) => cues.push(`${pattern} ms`);
"""
SHUT = ["250 ms", 660, 440]
OPEN = ["100,80,100 ms", 660, 880]


def cues_of(kiosk: Kiosk, stage: Stage, *codes: Code) -> list[Any]:
    """Show prompts one after the other; return their tones and vibrations."""
    kiosk.page.evaluate("cues.length = 0")
    for code in codes:
        stage.errors = [code]
        kiosk.wait_hint("closeEyes" if code == Code.CLOSE_EYES else "openEyes")
    cues: list[Any] = kiosk.page.evaluate("cues")
    return cues


def test_shut_eyes_are_led_by_sound(browser: Any, service: Service) -> None:
    """The prompt to close the eyes has a tone and a vibration, and so has the next prompt.

    Reduced motion turns the vibration off.
    """
    kiosk = Kiosk(browser, service, size=SIZES["small-phone"], script=RECORD_CUES)
    stage = Stage(kiosk.page)
    kiosk.start()
    assert cues_of(kiosk, stage, Code.CLOSE_EYES)[:1] == SHUT[:1]
    until(lambda: kiosk.page.evaluate("cues") == SHUT)
    assert cues_of(kiosk, stage, Code.OPEN_EYES)[:1] == OPEN[:1]
    until(lambda: kiosk.page.evaluate("cues") == OPEN)
    kiosk.page.emulate_media(reduced_motion="reduce")
    cues_of(kiosk, stage, Code.CLOSE_EYES)
    until(lambda: kiosk.page.evaluate("cues") == SHUT[1:])
    assert kiosk.faults == []
    kiosk.page.close()


def test_sound_can_be_turned_off(browser: Any, service: Service) -> None:
    """Neither tones nor vibrations."""
    kiosk = Kiosk(browser, service, "?sound=0", SIZES["small-phone"], script=RECORD_CUES)
    stage = Stage(kiosk.page)
    kiosk.start()
    assert cues_of(kiosk, stage, Code.CLOSE_EYES, Code.OPEN_EYES) == []
    kiosk.page.close()


TEXTS = {"en": "We take photos of you.\nYou may say no.", "de": "Wir machen Fotos von Ihnen."}
RECORD_CAMERA = """
    window.cameras = 0;
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => { cameras += 1; return open(wanted); };
"""


def test_a_text_is_accepted_before_the_camera_starts(browser: Any, service: Service) -> None:
    """In the page's language; version and time go with CONNECT; the next person is asked again.

    A page that shows an old version is refused: it loads the current one and shows that.
    """
    versions = ["1"]
    sent: list[dict[str, Any]] = []

    def gate(socket: Any) -> None:
        """Refuse any version but the second, as a service does."""

        def receive(message: Any) -> None:
            connect = json.loads(message) if isinstance(message, str) else {}
            if connect.get("command") == "CONNECT":
                sent.append(connect["headers"]["consent"])
                if sent[-1]["version"] != "2":
                    versions[:] = ["2"]
                    socket.send(REFUSAL)
                    socket.close(code=1008)
                    return
            server.send(message)

        server = socket.connect_to_server()
        socket.on_message(receive)

    kiosk = Kiosk(browser, service, size=SIZES["small-phone"], script=RECORD_CAMERA)
    page = kiosk.page
    page.route(
        "**/page.json",
        lambda route: route.fulfill(json={"consent": {"version": versions[0], "texts": TEXTS}}),
    )
    page.route_web_socket("**/ws", gate)
    page.reload()
    kiosk.start()
    page.wait_for_selector("[data-screen=consent]")
    assert page.inner_text("#consent-text") == TEXTS["en"]
    page.select_option("#language", "de")
    page.wait_for_selector(f"text={TEXTS['de']}")
    page.select_option("#language", "fr")
    page.wait_for_selector('#accept:text-is("J\'accepte")')
    assert page.inner_text("#consent-text") == TEXTS["en"]
    assert serious(page) == []
    assert page.evaluate(OUTSIDE) == []
    kiosk.shoot("consent")
    page.click("#decline")
    page.wait_for_selector("[data-screen=start]")
    assert (page.evaluate("cameras"), sent) == (0, [])
    kiosk.start()
    page.click("#accept")
    page.wait_for_selector("[data-screen=consent]")
    page.click("#accept")
    kiosk.wait_hint("checking")
    assert [consent["version"] for consent in sent] == ["1", "2"]
    age = page.evaluate("Date.now()") / 1000 - sent[1]["at"]
    assert 0 <= age < 600
    page.click("#cancel")
    kiosk.start()
    page.wait_for_selector("[data-screen=consent]")  # the next person has not accepted it
    page.close()


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("ar", "light"), ("ru", "light")])
def test_no_serious_barrier(browser: Any, service: Service, language: str, theme: str) -> None:
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


SMALL_FACE = {
    "faceFramePosition": {
        "faceRect": {"x": 250, "y": 150, "width": 140, "height": 180},
        "frameRect": {"x": 0, "y": 0, "width": 640, "height": 480},
    },
    "headPose": {"yaw": 1.0, "pitch": -15.2, "roll": 0.5},
    "quality": {"blur": 0.9, "light": 0.9, "darkness": 0.2, "illumination": 0.7, "specularity": 1},
}


def test_the_set_up_page_advises(browser: Any, service: Service) -> None:
    """It shows the face's box and the measurements, says what to change, and writes the lines."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    faults, stage = faults_of(page), Stage(page)
    stage.errors, stage.details = [Code.TOO_DARK], SMALL_FACE
    page.goto(f"http://127.0.0.1:{service.port}/setup")
    page.click("#measure")
    page.wait_for_selector("text=The picture is too dark")
    found = page.inner_text("#findings")
    assert "Face 140 x 180 px at the marked place, least 200 x 200" in found
    assert "The camera is too high by some 15 degrees" in found
    assert page.inner_text("#toml").startswith("[CHECKS]\npitchOffsetDeg = 15")
    assert page.is_enabled("#copy")
    assert page.get_attribute("#stage rect", "width") == "140"
    assert "Not too dark\t0.20" in page.inner_text("#measured")
    assert serious(page) == []
    shoot(page, "setup")
    assert faults == []
    page.close()


def test_a_chosen_language_is_kept(browser: Any, service: Service) -> None:
    """The language list changes all words, also in a check, and the page remembers it."""
    kiosk = Kiosk(browser, service)
    kiosk.start()
    kiosk.wait_hint("checking")
    kiosk.page.select_option("#language", "es")
    until(lambda: kiosk.page.locator(".lp-words").all_inner_texts() == ["No se mueva, comprobando"])
    kiosk.page.reload()
    until(lambda: kiosk.page.inner_text("#begin") == "Empezar")
    kiosk.page.close()


def test_the_keyboard_is_enough(browser: Any, service: Service) -> None:
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


def test_a_screen_reader_hears_the_hint(browser: Any, service: Service) -> None:
    """The hint is in a polite live region, and pictures are not read."""
    kiosk = Kiosk(browser, service)
    kiosk.start()
    kiosk.wait_hint("checking")
    region = kiosk.page.get_by_role("status")
    assert region.inner_text().strip() == "Hold still, checking"
    hidden = "[...document.querySelectorAll('svg, video')].every((e) => e.ariaHidden === 'true')"
    assert kiosk.page.evaluate(hidden)
    kiosk.page.close()


def test_less_motion_on_request(browser: Any, service: Service) -> None:
    """Nothing moves when the system asks for reduced motion; else all waits have a moving ring."""
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
    """Words that come late, over a slow network, do not take the place of those chosen since."""
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


def test_words_that_cannot_be_had(browser: Any, service: Service) -> None:
    """English stands in, and says so to screen readers."""
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


def test_words_that_never_come_delay_no_check(browser: Any, service: Service) -> None:
    """A check can be begun, though the service does not answer for the words."""
    page = browser.new_page()
    page.add_init_script(QUICK_TIMEOUTS)
    page.route("**/texts/es.json", lambda route: None)
    page.route("**/page.json", lambda route: None)
    page.goto(f"http://127.0.0.1:{service.port}/?lang=es")
    page.wait_for_selector("#begin:enabled")
    page.close()


def test_the_last_screen_changes_its_language_too(browser: Any, service: Service) -> None:
    """The outcome is in the language that is chosen then; the longest fits a wide screen."""
    kiosk = Kiosk(browser, service, size=SIZES["landscape"])
    stage = Stage(kiosk.page)
    kiosk.start()
    kiosk.wait_hint("checking")
    stage.decide(Code.LOW_LIVENESS, Code.TOO_MANY_REFUSALS)
    kiosk.wait_end("failed")
    kiosk.page.select_option("#language", "de")
    until(lambda: kiosk.page.inner_text("#again") == "Noch einmal")
    assert kiosk.page.inner_text("#outcome") == "Wir konnten Sie nicht bestätigen"
    assert kiosk.page.inner_text("#help").startswith("Spiegelnde Brille abnehmen.")
    assert kiosk.fits()
    kiosk.shoot("end-other-language")
    kiosk.page.close()
