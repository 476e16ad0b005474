"""The operator's settings: branding, sound, the consent text, and the set-up page."""

from __future__ import annotations

import json
from typing import Any

from shared.codes import Code
from tests.support.browser import OUTSIDE, Kiosk, page_errors_of, serious, shoot
from tests.support.service import Service
from tests.support.stage import Stage
from tests.support.waiting import wait_for

SMALL_PHONE = (320, 568)
REFUSAL = json.dumps({"command": "ERROR", "headers": {}, "body": {"code": "consent.required"}})

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

    Invalid settings (an unknown colour, more than a colour) are reported and not applied.
    """
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    faults = page_errors_of(page)
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
    assert page.inner_text("#begin") == "Start", "a text without a replacement stays"
    assert serious(page) == []
    shoot(page, "branding")
    page.click("#begin")
    page.wait_for_selector(".lp-words:text-is('Moment')")
    assert [fault for fault in faults if "Content Security Policy" in fault] == []
    refused = [fault.split(": ")[2] for fault in faults if "not a colour" in fault]
    assert refused == ["ground", "text"]
    page.close()


def test_an_invalid_page_json_leaves_the_page_unchanged(browser: Any, service: Service) -> None:
    """Web servers serve the file unchecked; the page reports each wrong value and still starts."""
    wrong = {"logo": None, "colors": None, "texts": [], "parameters": [1], "font": {}}
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    faults = page_errors_of(page)
    page.route("**/page.json", lambda route: route.fulfill(json=wrong))
    page.goto(f"http://127.0.0.1:{service.port}/")
    page.wait_for_selector("#begin:enabled")
    wait_for(lambda: len(faults) == len(wrong))
    assert sorted(fault.split(": ")[1] for fault in faults) == sorted(wrong)
    page.close()


def test_a_page_follows_the_theme_of_the_system(browser: Any, service: Service) -> None:
    """Light and dark, even while it is open; higher contrast replaces the colours of both."""
    kiosk = Kiosk(browser, service, size=SMALL_PHONE)
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


def test_prompts_for_shut_eyes_have_sound(browser: Any, service: Service) -> None:
    """The prompt to close the eyes has a tone and a vibration, and so has the next prompt.

    Reduced motion turns the vibration off.
    """
    kiosk = Kiosk(browser, service, size=SMALL_PHONE, script=RECORD_CUES)
    stage = Stage(kiosk.page)
    kiosk.start()
    assert cues_of(kiosk, stage, Code.CLOSE_EYES)[:1] == SHUT[:1]
    wait_for(lambda: kiosk.page.evaluate("cues") == SHUT)
    assert cues_of(kiosk, stage, Code.OPEN_EYES)[:1] == OPEN[:1]
    wait_for(lambda: kiosk.page.evaluate("cues") == OPEN)
    kiosk.page.emulate_media(reduced_motion="reduce")
    cues_of(kiosk, stage, Code.CLOSE_EYES)
    wait_for(lambda: kiosk.page.evaluate("cues") == SHUT[1:])
    assert kiosk.faults == []
    kiosk.page.close()


def test_sound_can_be_turned_off(browser: Any, service: Service) -> None:
    """There are neither tones nor vibrations then."""
    kiosk = Kiosk(browser, service, "?sound=0", SMALL_PHONE, script=RECORD_CUES)
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


def test_consent_is_given_before_the_camera_starts(browser: Any, service: Service) -> None:
    """It is in the page's language; CONNECT has version and time; the next person is asked again.

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

    kiosk = Kiosk(browser, service, size=SMALL_PHONE, script=RECORD_CAMERA)
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
    page.wait_for_selector("[data-screen=consent]")  # the next person has not consented
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
    """It shows the face's box and the measurements, and says what to change."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    faults, stage = page_errors_of(page), Stage(page)
    stage.errors, stage.details = [Code.TOO_DARK], SMALL_FACE
    page.goto(f"http://127.0.0.1:{service.port}/setup")
    page.click("#measure")
    page.wait_for_selector("text=The picture is too dark")
    found = page.inner_text("#findings")
    assert "Face 140 x 180 px at the marked place, minimum 200 x 200" in found
    assert "The camera is too high by some 15 degrees" in found
    assert "add 15 to pitchOffsetDeg" in found
    assert page.get_attribute("#stage rect", "width") == "140"
    assert "Not too dark\t0.20" in page.inner_text("#measured")
    assert serious(page) == []
    shoot(page, "setup")
    assert faults == []
    page.close()
