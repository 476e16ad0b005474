"""A page that uses only the documented interface of LUNA PASS 1.x works unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.web.static_files import installed
from tests.support.browser import page_errors_of
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import KEY, Service
from tests.support.waiting import wait_for

PAGE = Path(__file__).with_name("wrapper")
LIVE = 30
REPEATED = 72


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that serves an integrator's own page beside the library."""
    folder = tmp_path_factory.mktemp("site")
    for source in (installed(), PAGE):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    with filming(f'[KIOSK]\ndirectory = "{folder}"') as started:
        yield started


@pytest.fixture
def page(service: Service, browser: Any, stamps: FakeCamera) -> Iterator[Any]:
    """The integrator's page in a browser, before an image that is not live."""
    opened = browser.new_page()
    opened.goto(f"http://127.0.0.1:{service.port}/wrapper.html")
    yield opened
    opened.close()


def start(page: Any, service: Service, **more: Any) -> None:
    """Start a run; its result or error is stored in the page."""
    page.evaluate(
        """([url, more]) => {
            window.outcome = undefined;
            window.run(url, more).then(
                (verdict) => { window.outcome = verdict; },
                (error) => { window.outcome = {error: error.code}; });
        }""",
        [service.url, more],
    )


def statuses(page: Any, least: int) -> list[dict[str, Any]]:
    """Wait for frame statuses and return them."""

    def enough() -> bool:
        assert (ended := page.evaluate("window.outcome")) is None, ended
        return len(page.evaluate("window.seen")) >= least

    wait_for(enough)
    seen: list[dict[str, Any]] = page.evaluate("window.seen")
    return seen


def outcome(page: Any) -> dict[str, Any]:
    wait_for(lambda: page.evaluate("window.outcome"))
    found: dict[str, Any] = page.evaluate("window.outcome")
    return found


@pytest.mark.parametrize("mimetype", ["image/jpeg", "image/png", "image/webp"])
def test_the_documented_interface(
    page: Any, service: Service, stamps: FakeCamera, mimetype: str
) -> None:
    """Statuses have the documented form.

    Then ``{isOk, jwt}`` follows with a token that verifies.
    """
    faults = page_errors_of(page)
    start(page, service, image={"mimetype": mimetype, "quality": 0.95})
    statuses(page, 3)
    assert page.evaluate("window.videos") == 1
    assert page.inner_text(".lp-words") == "Go on"
    assert page.eval_on_selector("video", "(video) => new DOMMatrix(video.style.transform).a") < 0
    stamps.show(filmed_jpeg(1, LIVE))
    verdict = outcome(page)
    assert set(verdict) >= {"isOk", "jwt"}
    claims = jwt.decode(verdict["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
    assert verdict["isOk"] is claims["isOk"] is True
    for status in page.evaluate("window.seen"):
        assert set(status) == {"isOk", "errors", "details"}
        assert status["isOk"] is (status["errors"] == [])
        assert {"faceRect", "frameRect", "margins"} <= set(status["details"]["faceFramePosition"])
    assert page.query_selector("video, .lp-renderer") is None, "everything drawn is removed"
    assert faults == []


def test_operator_mode_is_not_mirrored(page: Any, service: Service) -> None:
    """Images filmed by another person are not mirrored."""
    start(page, service, mode="operator")
    statuses(page, 1)
    assert page.eval_on_selector("video", "(video) => new DOMMatrix(video.style.transform).a") > 0


def replaced_frames(service: Service) -> int:
    """Number of frames that the service dropped for a newer one."""
    dropped: int = service.get("/statistics").json()["frames"]["dropped"]["replaced"]
    return dropped


def test_no_more_frames_are_open_than_allowed(page: Any, service: Service) -> None:
    """However short the interval, the service never has to drop a frame for a newer one."""
    before = replaced_frames(service)
    start(page, service, requestInterval=1)
    seen = statuses(page, 12)
    assert not [status for status in seen if REPEATED in status["errors"]]
    assert replaced_frames(service) == before


def test_a_reload_resumes_the_session_by_its_id(page: Any, service: Service) -> None:
    """With the id of a session of the same tab, the reloaded page continues that session."""
    start(page, service)
    statuses(page, 2)
    (key,) = page.evaluate("Object.keys(sessionStorage)")
    page.reload()
    start(page, service, **{"session-id": key.removeprefix("lunapass:")})
    statuses(page, 1)
    assert page.evaluate("Object.keys(sessionStorage)") == [key]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("new LunaPass('root')", "state"),
        ("new LunaPass(root).checkLiveness()", "state"),
        ("new LunaPass(root, {connectTimeout: 1}).connectWS('ws://127.0.0.1:9/')", None),
        ("new LunaPass(root).connectWS('nonsense://')", "state"),
        ("new LunaPass(root, {video: {width: {exact: 99999}}}).attachCamera()", "camera.none"),
    ],
)
def test_each_misuse_has_its_code(page: Any, call: str, code: str | None) -> None:
    """Errors are typed, and no call hangs."""
    found = page.evaluate(
        f"async () => {{ try {{ await {call}; }} catch (error) {{ return error.code; }} }}"
    )
    assert found in ((code,) if code else ("network.unreachable", "timeout"))


def test_a_page_without_https_gets_the_reason(page: Any, service: Service) -> None:
    """If the browser offers no camera at all, the error says why."""
    code = page.evaluate(
        """async () => {
            Object.defineProperty(window, "isSecureContext", {value: false});
            try { await new LunaPass(document.getElementById("root")).attachCamera(); }
            catch (error) { return error.code; }
        }"""
    )
    assert code == "page.insecure"


def test_the_renderer_has_its_style_in_a_shadow_root(page: Any) -> None:
    """The document's styles do not apply in a custom element's shadow root."""
    look = page.evaluate(
        """async () => {
            const host = document.body.appendChild(document.createElement("div"));
            const root = document.createElement("div");
            host.attachShadow({mode: "open"}).append(root);
            for (let times = 0; times < 2; times++) await new LPMessageRenderer().init(root);
            const {position} = getComputedStyle(root.querySelector(".lp-renderer"));
            return [position, host.shadowRoot.adoptedStyleSheets.length];
        }"""
    )
    assert look == ["absolute", 1]


def test_a_page_of_another_origin_is_told_what_to_set(browser: Any, service: Service) -> None:
    """The error names origin and setting, after one attempt instead of half a minute of them."""
    context = browser.new_context(bypass_csp=True)  # the page's policy allows only its own service
    opened = context.new_page()
    opened.goto(f"http://localhost:{service.port}/wrapper.html")
    found = opened.evaluate(
        """async (url) => {
            let sockets = 0;
            window.WebSocket = class extends WebSocket {
                constructor(...where) { super(...where); sockets += 1; }
            };
            const pass = new LunaPass(document.getElementById("root"));
            const error = await pass.connectWS(url).catch((reason) => reason);
            return {code: error.code, message: error.message, sockets};
        }""",
        service.url,
    )
    assert (found["code"], found["sockets"]) == ("page.origin", 1)
    assert f'"http://localhost:{service.port}"' in found["message"]
    assert "origins in its section [LUNA_PASS]" in found["message"]
