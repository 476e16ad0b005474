"""Calls in any order and at any moment: no camera stays on, no connection and no check is lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.static_files import installed
from tests.support.browser import Kiosk, until
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import Service

PAGE = Path(__file__).with_name("wrapper")
LIVE = 30
SPY = """
    window.streams = [];
    window.gate = Promise.resolve();
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wish) => {
        await window.gate;
        const stream = await ask(wish);
        window.streams.push(stream);
        return stream;
    };
    window.camerasOn = () => window.streams
        .filter((stream) => stream.getTracks().some((track) => track.readyState === "live")).length;
    window.holdCamera = () => {
        window.gate = new Promise((release) => { window.allowCamera = release; });
    };
    window.sockets = [];
    window.away = false;
    window.WebSocket = class extends WebSocket {
        constructor(url, protocol) {
            super(window.away ? "/nothing" : url, protocol);
            window.sockets.push(this);
        }
    };
    window.connections = () => window.sockets.filter((one) => one.readyState < 2).length;
    window.codeOf = (promise) => promise.then(() => "fine", (error) => error.code ?? String(error));
    undefined;
"""
"""Counts cameras and connections; holds the person's answer back, takes the service away."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("site")
    for source in (installed(), PAGE):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    limits = "[LIMITS]\nframeBytes = 50000"
    with filming(f'[KIOSK]\ndirectory = "{folder}"\n{limits}') as started:
        yield started


@pytest.fixture
def page(service: Service, browser: Any, stamps: FakeCamera) -> Iterator[Any]:
    """An integrator's page before a picture that is not live, with ``pass`` and ``url`` ready."""
    opened = browser.new_page()
    opened.add_init_script(SPY)
    opened.goto(f"http://127.0.0.1:{service.port}/wrapper.html")
    opened.evaluate(
        """(url) => {
            window.url = url;
            window.root = document.getElementById("root");
            window.pass = new LunaPass(root, {video: {width: 640, height: 480}});
            window.seen = 0;
        }""",
        service.url,
    )
    yield opened
    opened.close()


def test_a_camera_that_comes_too_late_is_turned_off(page: Any) -> None:
    """The camera is detached while the person is still being asked."""
    page.evaluate("holdCamera(); window.asked = codeOf(pass.attachCamera()); pass.detachCamera()")
    page.evaluate("allowCamera()")
    assert page.evaluate("asked") == "aborted"
    assert page.evaluate("camerasOn()") == 0
    assert page.query_selector("video") is None


def test_the_last_of_two_cameras_counts(page: Any) -> None:
    """Two calls at once leave one camera on, shown once."""
    both = "Promise.all([codeOf(pass.attachCamera()), codeOf(pass.attachCamera())])"
    assert page.evaluate(both) == ["aborted", "fine"]
    assert page.evaluate("camerasOn()") == 1
    assert len(page.query_selector_all("video")) == 1


def test_a_camera_that_ended_before_the_check_is_named(page: Any) -> None:
    """A check does not send the last picture of a camera that is gone."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    page.evaluate("streams[0].getTracks()[0].stop()")
    at_once = (
        "Promise.race([codeOf(pass.checkLiveness()), new Promise((d) => setTimeout(d, 2000))])"
    )
    assert page.evaluate(at_once) == "camera.lost"


def begin(page: Any) -> None:
    """Begin a check, and wait until it has been answered twice."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    page.evaluate("window.ended = codeOf(pass.checkLiveness(() => { seen += 1; })); undefined")
    until(lambda: page.evaluate("seen") >= 2)


def test_connecting_again_ends_the_check(page: Any) -> None:
    """A check does not wait on a connection that was given up."""
    begin(page)
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("Promise.race([ended, 'pending'])") == "aborted"
    assert page.evaluate("connections()") == 1


def test_a_connection_that_was_given_up_stays_silent(page: Any) -> None:
    """Closed while it is being resumed, it neither comes back nor ends the check after it."""
    begin(page)
    page.evaluate("away = true; sockets.at(-1).close()")
    until(lambda: page.evaluate("sockets.length >= 4 && connections() === 0"))  # a long pause
    page.evaluate("pass.disconnectWS()")
    assert page.evaluate("ended") == "aborted"
    page.evaluate("away = false; seen = 0")
    begin(page)
    page.wait_for_timeout(2500)
    assert page.evaluate("Promise.race([ended, 'pending'])") == "pending"
    assert page.evaluate("connections()") == 1


def test_a_connection_is_given_up_at_once(page: Any, service: Service) -> None:
    """A page that closes while the service is silent does not wait."""
    (gateway,) = service.pids("gateway")
    os.kill(gateway, signal.SIGSTOP)
    try:
        page.evaluate("window.asked = codeOf(pass.connectWS(url)); undefined")
        until(lambda: page.evaluate("connections()") == 1)
        page.evaluate("pass.disconnectWS()")
        at_once = "Promise.race([asked, new Promise((done) => setTimeout(done, 2000))])"
        assert page.evaluate(at_once) == "aborted"
        assert page.evaluate("connections()") == 0
    finally:
        os.kill(gateway, signal.SIGCONT)


@pytest.mark.parametrize(
    "fault",
    [
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }",
        "pass = new LunaPass(root, {onConnection: () => { throw new Error('the page'); }})",
    ],
)
def test_what_is_not_the_connections_fault_does_not_end_it(page: Any, fault: str) -> None:
    """A tab without room for the token, and a page's own error, leave the connection as it is."""
    page.evaluate(f"{fault}; undefined")
    assert page.evaluate("codeOf(pass.connectWS(url))") == "fine"
    assert page.evaluate("connections()") == 1


def test_an_ended_session_leaves_no_token(page: Any) -> None:
    """A kiosk's tab lives for months: tokens of sessions that were ended do not pile up."""
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("sessionStorage.length") == 1
    page.evaluate("pass.disconnectWS()")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_picture_over_the_limit_is_made_smaller(page: Any, service: Service) -> None:
    """PNG knows no quality: where the service takes fewer bytes, the picture shrinks."""
    page.evaluate(
        """() => { pass = new LunaPass(root, {image: {mimetype: "image/png"}});
            const draw = CanvasRenderingContext2D.prototype.drawImage;
            CanvasRenderingContext2D.prototype.drawImage = function (...what) {
                draw.apply(this, what);
                if (!(what[0] instanceof HTMLVideoElement)) return;
                const {width, height} = this.canvas;
                for (let i = 0; i < width * height / 8; i += 1) {
                    this.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
                    this.fillRect(Math.random() * width, Math.random() * height, 2, 2);
                }
            };
        }"""
    )
    begin(page)


def test_a_detector_that_fails_is_left_out(page: Any) -> None:
    """A help that breaks in the middle does not end the check."""
    module = "export const load = async () => ({ sees() { throw new Error('no memory'); } })"
    page.route(
        "**/broken.js", lambda route: route.fulfill(body=module, content_type="text/javascript")
    )
    page.evaluate("pass = new LunaPass(root, {detector: '/broken.js'})")
    begin(page)


def test_cancel_while_the_camera_is_asked_for(browser: Any, service: Service) -> None:
    """A person who cancels before answering the browser is not checked behind the start screen."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.evaluate(SPY)
    kiosk.page.evaluate("holdCamera()")
    kiosk.start()
    kiosk.page.click("#cancel")
    kiosk.page.evaluate("allowCamera()")
    kiosk.page.wait_for_timeout(1500)
    assert kiosk.page.get_attribute("body", "data-screen") == "start"
    assert kiosk.page.evaluate("camerasOn()") == 0
    assert kiosk.page.evaluate("sockets.length") == 0


def test_a_chosen_camera_that_is_gone(browser: Any, service: Service, stamps: FakeCamera) -> None:
    """A camera that was unplugged is not asked for for ever: the check takes another."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.evaluate("document.getElementById('camera').add(new Option('gone', 'no-such-id'))")
    kiosk.start()
    kiosk.wait_hint("checking")


def test_a_verdict_is_for_one_check(page: Any, stamps: FakeCamera) -> None:
    """A second check on a session that is over does not succeed by the verdict of the first."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    stamps.show(filmed_jpeg(1, LIVE))
    assert page.evaluate("codeOf(pass.checkLiveness())") == "fine"
    assert page.evaluate("codeOf(pass.checkLiveness())") == "state"
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("codeOf(pass.checkLiveness())") == "fine"


def test_neither_a_lost_nor_a_replaced_session_leaves_a_token(page: Any) -> None:
    """Of sessions that the service knows no more, or that a new one took the place of."""
    page.evaluate(
        """() => { sessionStorage.setItem("lunapass:" + "0".repeat(32), "of yesterday");
            pass = new LunaPass(root, {"session-id": "0".repeat(32)}); }"""
    )
    for _ in range(2):
        page.evaluate("pass.connectWS(url)")
        session = page.evaluate("pass.sessionId")
        assert page.evaluate("Object.keys(sessionStorage)") == [f"lunapass:{session}"]


def test_cancel_while_the_cameras_are_listed(browser: Any, service: Service) -> None:
    """A person who cancels then is not connected behind the start screen."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.evaluate(SPY)
    kiosk.page.evaluate(
        """() => { navigator.mediaDevices.enumerateDevices = () => {
            window.asked = true;
            return new Promise((done) => { window.list = () => done([]); });
        } }"""
    )
    kiosk.start()
    until(lambda: kiosk.page.evaluate("window.asked"))
    kiosk.page.click("#cancel")
    kiosk.page.evaluate("list()")
    kiosk.page.wait_for_selector(".lp-renderer", state="detached")
    assert kiosk.page.evaluate("sockets.length") == 0
