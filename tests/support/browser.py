"""Chromium with the kiosk page and a fake camera, like a person's browser."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.codes import Code
from tests.support.fake_camera import FakeCamera
from tests.support.service import ROOT, Service
from tests.support.waiting import SECONDS

SHOTS = ROOT / "build" / "kiosk"
"""Folder of the screenshots, for people to look at."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROMPTS = {
    "openEyes": Code.OPEN_EYES,
    "closeEyes": Code.CLOSE_EYES,
    "straight": Code.LOOK_STRAIGHT_YAW,
    "turnRight": Code.ASK_TURN_RIGHT,
    "turnLeft": Code.ASK_TURN_LEFT,
    "chinUp": Code.ASK_CHIN_UP,
    "chinDown": Code.ASK_CHIN_DOWN,
}
"""Hints of actions, with one of the codes of each."""
OUTSIDE = """() => [...document.querySelectorAll("h1, p, button, select, .lp-words, .lp-oval")]
    .filter((element) => element.checkVisibility() && !element.closest(".unseen, .unseen *"))
    .filter((element) => {
        const {left, right, top, bottom} = element.getBoundingClientRect();
        return left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1;
    })
    .map((element) => element.outerHTML)"""
"""Elements of the page that are not completely on the screen."""
ALLOW = "--use-fake-ui-for-media-stream"
DENY = "--deny-permission-prompts"


def chromium() -> str:
    """Return the path of the browser; the test skips if there is none."""
    pytest.importorskip("playwright", reason="playwright (extra test) is not installed")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip("no Chromium on this machine (Debian package chromium)")


_running: list[Any] = []
"""Playwright, once for each browser that runs; a second Playwright in one thread is an error."""


@contextlib.contextmanager
def _playwright() -> Iterator[Any]:
    """Start Playwright for the first browser, and stop it after the last one."""
    from playwright.sync_api import sync_playwright

    _running.append(_running[0] if _running else sync_playwright().start())
    try:
        yield _running[0]
    finally:
        last = _running.pop()
        if not _running:
            last.stop()


@contextlib.contextmanager
def browsing(camera: FakeCamera | None, *, permission: str = ALLOW) -> Iterator[Any]:
    """Run a browser with a camera, or without any, until the block ends."""
    path = chromium()
    flags = [*FLAGS, permission]
    if camera is not None:
        flags += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera.path}",
        ]
    camera_on = contextlib.nullcontext() if camera is None else camera.on()
    with _playwright() as playwright, camera_on:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def shoot(page: Any, name: str) -> Path:
    """Save a screenshot."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path)
    return path


def serious(page: Any) -> list[str]:
    """Return axe-core's findings of a page that are serious or worse.

    Skip if it is not installed.
    """
    source = ROOT / "kiosk" / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        pytest.skip("axe-core is not installed: run 'make kiosk'")
    page.evaluate(source.read_text())
    violations = page.evaluate("axe.run().then((found) => found.violations)")
    return [
        f"{v['id']}: {v['help']}: {[node['html'] for node in v['nodes']]}"
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]


def page_errors_of(page: Any) -> list[str]:
    """Return a list to which the page's errors and complaints are added."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type in ("error", "warning") else None,
    )
    return faults


class Kiosk:
    """The kiosk page in a browser.

    Args:
        browser: a running browser.
        service: serves the page.
        query: query of the page's address; turns advice off unless it says otherwise.
        size: size of the screen.
        script: runs before the page's own scripts.

    Attributes:
        page: Playwright's page.
        faults: errors and complaints on the page's console.
    """

    def __init__(
        self,
        browser: Any,
        service: Service,
        query: str = "",
        size: tuple[int, int] = (1080, 1920),
        *,
        script: str = "",
    ) -> None:
        self.page = browser.new_page(viewport={"width": size[0], "height": size[1]}, locale="en-US")
        self.page.set_default_timeout(SECONDS * 1000)
        self.faults = page_errors_of(self.page)
        self.page.add_init_script(script)
        if "advice=" not in query:  # a slow machine would show it instead of the hint
            query += ("&" if "?" in query else "?") + "advice=0"
        self.page.goto(f"http://127.0.0.1:{service.port}/{query}")
        self.page.evaluate(
            "document.addEventListener('lunapass', (event) => { window.verdict = event.detail })"
        )

    def start(self) -> None:
        """Press the start button."""
        self.page.click("#begin")

    @property
    def hint(self) -> str:
        """Name of the hint on the screen, empty if there is none."""
        return str(self.page.evaluate("document.querySelector('.lp-renderer')?.dataset.hint ?? ''"))

    def wait_hint(self, name: str) -> None:
        """Wait until a hint is on the screen."""
        self.page.wait_for_selector(f".lp-renderer[data-hint={name}]", state="attached")

    def wait_end(self, outcome: str) -> str:
        """Wait for the last screen; return its title and its advice."""
        self.page.wait_for_selector("[data-screen=end]")
        shown = f"{self.page.inner_text('#outcome')}. {self.page.inner_text('#help')}"
        assert self.page.get_attribute("body", "data-outcome") == outcome, shown
        return shown

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict that the page got."""
        verdict: dict[str, Any] = self.page.evaluate("window.verdict")
        return verdict

    def fits(self) -> bool:
        """Whether the whole page fits the screen without scrolling."""
        fits = (
            "[...document.querySelectorAll('main')].every((e) => e.scrollHeight <= e.clientHeight)"
        )
        return bool(self.page.evaluate(fits))

    def shoot(self, name: str) -> Path:
        """Save a screenshot."""
        return shoot(self.page, name)
