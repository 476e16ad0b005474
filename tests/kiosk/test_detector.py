"""The optional face detector in the browser: images without a face are never sent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from shared.frame.estimation import Image
from tests.support.browser import Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.service import ROOT, Service, running
from tests.support.waiting import wait_for

KIOSK = ROOT / "kiosk"


def jpeg(image: Image) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(image, 85, "BGR", "420")
    return data


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A fresh build with the detector; tests skip if its packages are not installed."""
    node = shutil.which("node")
    if node is None or not (KIOSK / "node_modules" / "@vladmandic" / "human").is_dir():
        pytest.skip("the detector's packages are missing: install Node.js and run 'make kiosk'")
    folder = tmp_path / "dist"
    subprocess.run([node, "build.mjs", str(folder)], cwd=KIOSK, check=True, timeout=60)
    return folder


def received(service: Service) -> int:
    """Number of frames that the service has received so far."""
    count: int = service.get("/statistics").json()["frames"]["received"]
    return count


def frames_while_loading(kiosk: Kiosk, service: Service) -> int:
    """Number of frames sent before the detector was ready; without one there is no end."""
    for _ in range(30):
        before = received(service)
        kiosk.page.wait_for_timeout(1500)
        if received(service) == before and kiosk.hint == "aim":
            return before
    raise AssertionError("frames of an empty wall are still sent")


def test_frames_without_a_face_stay_in_the_browser(
    site: Path, portrait: Image, tmp_path: Path
) -> None:
    """Before an empty wall nothing is sent and the hint says where to look; a face is sent."""
    wall = np.full_like(portrait, 127)
    camera = FakeCamera(tmp_path / "camera.mjpeg", jpeg(wall))
    settings = f'[KIOSK]\ndirectory = "{site}"'
    with running(settings, workers=1) as service, browsing(camera) as browser:
        kiosk = Kiosk(browser, service, "?detector=1", size=(540, 960))
        kiosk.start()
        kiosk.wait_hint("aim")
        quiet = frames_while_loading(kiosk, service)
        assert kiosk.hint == "aim"
        camera.show(jpeg(portrait))
        wait_for(lambda: received(service) > quiet)
        again = "(m) => Promise.all([m.load(), m.load()]).then(([one, other]) => one === other)"
        address = f"http://127.0.0.1:{service.port}/detector/detector.js"
        assert kiosk.page.evaluate(f"import('{address}').then({again})"), (
            "loaded once for all checks"
        )
        # The detector's library asks for a graphics card, which a test machine does not have.
        assert [fault for fault in kiosk.faults if fault != "No available adapters."] == []


def test_the_check_continues_without_the_files_of_the_detector(
    service: Service, stamps: FakeCamera, browser: Any
) -> None:
    """The detector is optional: if it cannot be loaded, the service gets every frame."""
    kiosk = Kiosk(browser, service, size=(540, 960))
    kiosk.page.route("**/detector/**", lambda route: route.fulfill(status=404))
    kiosk.page.goto(f"http://127.0.0.1:{service.port}/?detector=1")
    kiosk.start()
    kiosk.wait_hint("checking")

    def is_reported() -> bool:
        kiosk.page.wait_for_timeout(0)  # Playwright delivers messages in its calls
        return any("face detector is off" in fault for fault in kiosk.faults)

    wait_for(is_reported)
