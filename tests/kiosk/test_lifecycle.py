"""Calls in any order and at any moment leave no camera on, and lose no connection or check."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.static_files import installed
from tests.support.browser import Kiosk
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import Service
from tests.support.waiting import wait_for

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
"""Counts cameras and connections; can delay the camera permission and cut off the service."""


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
    """An integrator's page before an image that is not live, with ``pass`` and ``url`` set."""
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
    """It is detached while the person is still asked for permission."""
    page.evaluate("holdCamera(); window.asked = codeOf(pass.attachCamera()); pass.detachCamera()")
    page.evaluate("allowCamera()")
    assert page.evaluate("asked") == "aborted"
    assert page.evaluate("camerasOn()") == 0
    assert page.query_selector("video") is None


def test_two_simultaneous_calls_leave_one_camera_on(page: Any) -> None:
    """It is shown once."""
    both = "Promise.all([codeOf(pass.attachCamera()), codeOf(pass.attachCamera())])"
    assert page.evaluate(both) == ["aborted", "fine"]
    assert page.evaluate("camerasOn()") == 1
    assert len(page.query_selector_all("video")) == 1


def test_a_camera_that_ended_before_the_check_is_an_error(page: Any) -> None:
    """A check does not send the last image of a camera that is gone."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    page.evaluate("streams[0].getTracks()[0].stop()")
    at_once = (
        "Promise.race([codeOf(pass.checkLiveness()), new Promise((d) => setTimeout(d, 2000))])"
    )
    assert page.evaluate(at_once) == "camera.lost"


def begin(page: Any) -> None:
    """Start a check, and wait for two answers."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    page.evaluate("window.ended = codeOf(pass.checkLiveness(() => { seen += 1; })); undefined")
    wait_for(lambda: page.evaluate("seen") >= 2)


def test_connecting_again_ends_the_check(page: Any) -> None:
    """A check does not wait on an abandoned connection."""
    begin(page)
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("Promise.race([ended, 'pending'])") == "aborted"
    assert page.evaluate("connections()") == 1


def test_a_closed_connection_stays_closed(page: Any) -> None:
    """If it is closed during resumption, it neither returns nor ends the next check."""
    begin(page)
    page.evaluate("away = true; sockets.at(-1).close()")
    wait_for(lambda: page.evaluate("sockets.length >= 4 && connections() === 0"))  # a long pause
    page.evaluate("pass.disconnectWS()")
    assert page.evaluate("ended") == "aborted"
    page.evaluate("away = false; seen = 0")
    begin(page)
    page.wait_for_timeout(2500)
    assert page.evaluate("Promise.race([ended, 'pending'])") == "pending"
    assert page.evaluate("connections()") == 1


def test_a_connection_closes_without_waiting(page: Any, service: Service) -> None:
    """A page that closes it while the service is silent does not wait."""
    (gateway,) = service.pids("gateway")
    os.kill(gateway, signal.SIGSTOP)
    try:
        page.evaluate("window.asked = codeOf(pass.connectWS(url)); undefined")
        wait_for(lambda: page.evaluate("connections()") == 1)
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
def test_other_errors_do_not_end_the_connection(page: Any, fault: str) -> None:
    """A tab without storage for the token and an error of the page itself leave it open."""
    page.evaluate(f"{fault}; undefined")
    assert page.evaluate("codeOf(pass.connectWS(url))") == "fine"
    assert page.evaluate("connections()") == 1


def test_an_ended_session_leaves_no_token(page: Any) -> None:
    """A kiosk's tab runs for months, so tokens of ended sessions must not accumulate."""
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("sessionStorage.length") == 1
    page.evaluate("pass.disconnectWS()")
    assert page.evaluate("sessionStorage.length") == 0


def test_an_image_over_the_limit_is_reduced(page: Any, service: Service) -> None:
    """PNG has no quality setting: if the service accepts fewer bytes, the image is scaled down."""
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


def test_a_failing_detector_is_turned_off(page: Any) -> None:
    """An error in this optional part does not end the check."""
    module = "export const load = async () => ({ sees() { throw new Error('no memory'); } })"
    page.route(
        "**/broken.js", lambda route: route.fulfill(body=module, content_type="text/javascript")
    )
    page.evaluate("pass = new LunaPass(root, {detector: '/broken.js'})")
    begin(page)


def test_cancelling_during_the_permission_prompt_ends_the_check(
    browser: Any, service: Service
) -> None:
    """Otherwise the person would be checked behind the start screen."""
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


def test_an_unplugged_camera_is_replaced(
    browser: Any, service: Service, stamps: FakeCamera
) -> None:
    """The check does not wait for the chosen one forever, and takes another."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.evaluate("document.getElementById('camera').add(new Option('gone', 'no-such-id'))")
    kiosk.start()
    kiosk.wait_hint("checking")


def test_a_verdict_counts_for_one_check(page: Any, stamps: FakeCamera) -> None:
    """A second check on a decided session does not succeed by the verdict of the first."""
    page.evaluate("pass.connectWS(url)")
    page.evaluate("pass.attachCamera()")
    stamps.show(filmed_jpeg(1, LIVE))
    assert page.evaluate("codeOf(pass.checkLiveness())") == "fine"
    assert page.evaluate("codeOf(pass.checkLiveness())") == "state"
    page.evaluate("pass.connectWS(url)")
    assert page.evaluate("codeOf(pass.checkLiveness())") == "fine"


def test_neither_a_lost_nor_a_replaced_session_leaves_a_token(page: Any) -> None:
    """The service does not know the session any longer, or a new one has replaced it."""
    page.evaluate(
        """() => { sessionStorage.setItem("lunapass:" + "0".repeat(32), "of yesterday");
            pass = new LunaPass(root, {"session-id": "0".repeat(32)}); }"""
    )
    for _ in range(2):
        page.evaluate("pass.connectWS(url)")
        session = page.evaluate("pass.sessionId")
        assert page.evaluate("Object.keys(sessionStorage)") == [f"lunapass:{session}"]


def test_cancelling_while_cameras_are_listed_prevents_the_connection(
    browser: Any, service: Service
) -> None:
    """Otherwise the person would be connected behind the start screen."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.evaluate(SPY)
    kiosk.page.evaluate(
        """() => { navigator.mediaDevices.enumerateDevices = () => {
            window.asked = true;
            return new Promise((done) => { window.list = () => done([]); });
        } }"""
    )
    kiosk.start()
    wait_for(lambda: kiosk.page.evaluate("window.asked"))
    kiosk.page.click("#cancel")
    kiosk.page.evaluate("list()")
    kiosk.page.wait_for_selector(".lp-renderer", state="detached")
    assert kiosk.page.evaluate("sockets.length") == 0
