"""Contact sheets of every screen of the kiosk page, to be looked at.

``python -m tests.support.pictures FOLDER`` takes a picture of each screen in each size and look,
checks that it fits, and checks one size of each look with axe-core.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageDraw

from loadtest.synthetic.portrait import astronaut
from shared.codes import Code
from tests.support.browser import Kiosk, browsing, serious
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filming
from tests.support.service import ROOT, Service
from tests.support.stage import Stage, token_with

SIZES = {
    "360x740": (360, 740),
    "1080x1920": (1080, 1920),
    "1920x1080": (1920, 1080),
    "3840x2160": (3840, 2160),
}
AXE_SIZE = "1080x1920"
PHONE = "360x740"
"""People scroll on a phone, not on a kiosk."""
LOOKS = (("en", "dark"), ("de", "light"), ("ar", "dark"), ("kk", "light"))
CAMERA = (1280, 720)
FACE = (484, 150, 312, 420)
"""Face box in the camera's image."""
SHOWN_FACE = (28, 9, 388, 218)
"""Part of the astronaut's portrait before the camera."""
ACTION = {"action": 2, "actions": 3, "seconds": 10, "secondsLeft": 6}
HINTS: dict[str, list[int]] = {
    "checking": [Code.LOW_LIVENESS],
    "closer": [Code.FACE_TOO_NARROW],
    "evenLight": [Code.UNEVEN_LIGHT],
    "turnLeft": [Code.ASK_TURN_LEFT],
    "closeEyes": [Code.CLOSE_EYES],
}
CONSENT = "We take a photo of your face and check that you are a live person. " * 6
PROBLEM = """
    const list = navigator.mediaDevices.enumerateDevices;
    navigator.mediaDevices.enumerateDevices = function () {
        if (window.problem) throw Object.assign(new Error(problem), {code: problem});
        return list.call(this);
    };
"""
"""Lets a check end with any error of the library."""
THUMBNAIL_HEIGHTS = {True: 420, False: 240}
"""By whether the screen is taller than wide."""
COLUMNS = {True: 9, False: 5}


@dataclass(frozen=True)
class Look:
    """The appearance of the page."""

    size: str
    language: str
    theme: str

    @property
    def name(self) -> str:
        return f"{self.size}-{self.language}-{self.theme}"


class Photographer:
    """Leads one page through all of its screens.

    Args:
        kiosk: the page.
        stage: plays its service.
        check: called at each screen.
    """

    def __init__(self, kiosk: Kiosk, stage: Stage, check: Callable[[str], None]) -> None:
        self._kiosk, self._page, self._stage, self._check = kiosk, kiosk.page, stage, check
        self.pictures: dict[str, Image.Image] = {}

    def shoot_all(self) -> None:
        """Take a picture of each screen."""
        self._page.wait_for_selector("#begin:enabled")
        self._shoot("start")
        self._shoot_check()
        for code in texts()["failures"]:
            self._shoot_outcome(f"failed {code}", lambda code=code: self._refuse(code))
        self._shoot_outcome("done", self._accept)
        for code in texts()["problems"]:
            self._shoot_outcome(f"problem {code}", lambda: None)
        self._page.evaluate(f"document.getElementById('consent-text').textContent = {CONSENT!r}")
        for screen in ("consent", "idle"):
            self._page.evaluate(f"document.body.dataset.screen = '{screen}'")
            self._shoot(screen)

    def _shoot_check(self) -> None:
        self._kiosk.start()
        for name, errors in HINTS.items():
            self._stage.errors = errors
            is_prompt = name in ("turnLeft", "closeEyes")
            self._stage.details = {"activeLiveness": ACTION} if is_prompt else {}
            self._kiosk.wait_hint(name)
            self._shoot(name)
        self._stage.details = {"faceFramePosition": self._position_in_oval()}
        self._stage.errors = []
        self._kiosk.wait_hint("hold")
        self._shoot("hold")
        self._stage.leave()
        self._kiosk.wait_hint("wait")
        self._shoot("reconnecting")
        self._stage.answers = True
        self._page.click("#cancel")

    def _position_in_oval(self) -> dict[str, Any]:
        """Return a face box that fills the oval."""
        share = float(
            self._page.evaluate(
                "getComputedStyle(document.querySelector('.lp-renderer'))"
                ".getPropertyValue('--lp-oval-share')"
            )
        )
        height, frame = 600 * share / 1.1, {"width": 600, "height": 600}
        width = 0.75 * height
        face = {"x": 300 - width / 2, "y": 300 - height / 2, "width": width, "height": height}
        return {"faceRect": face, "frameRect": frame}

    def _refuse(self, code: str) -> None:
        self._kiosk.wait_hint("hold")
        self._stage.decide(int(code) if code.isdigit() else Code.EXTERNAL_FAILED)

    def _accept(self) -> None:
        self._kiosk.wait_hint("hold")
        self._stage.decide(token=token_with(portrait(), FACE, CAMERA))

    def _shoot_outcome(self, name: str, lead: Callable[[], None]) -> None:
        kind, _, code = name.partition(" ")
        self._page.evaluate(f"window.problem = {json.dumps(code if kind == 'problem' else '')}")
        self._page.evaluate("document.getElementById('begin').click()")
        lead()
        self._page.wait_for_selector(f"[data-screen=end][data-outcome={kind}]")
        self._shoot(name)

    def _shoot(self, name: str) -> None:
        self._page.wait_for_timeout(300)  # the icon appears
        taken = self._page.screenshot(type="jpeg", quality=85)
        self.pictures[name] = thumbnail(Image.open(BytesIO(taken)))
        self._check(name)


def texts() -> dict[str, Any]:
    """Return the English texts."""
    file = ROOT / "kiosk" / "src" / "page" / "texts" / "en.json"
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def portrait() -> bytes:
    """Return an image of a face in the middle, as JPEG."""
    x, y, width, height = SHOWN_FACE
    part = astronaut()[y : y + height, x : x + width]
    image = np.ascontiguousarray(cv2.resize(part, CAMERA, interpolation=cv2.INTER_CUBIC))
    data: bytes = simplejpeg.encode_jpeg(image, quality=80, colorspace="BGR")
    return data


def thumbnail(picture: Image.Image) -> Image.Image:
    """Return a picture in the size of the contact sheet."""
    height = THUMBNAIL_HEIGHTS[picture.height > picture.width]
    return picture.resize((round(picture.width * height / picture.height), height))


def sheet(pictures: dict[str, Image.Image]) -> Image.Image:
    """Return a contact sheet with a label above each picture."""
    first = next(iter(pictures.values()))
    columns = COLUMNS[first.height > first.width]
    rows = -(-len(pictures) // columns)
    width, height = first.width + 10, first.height + 24
    whole = Image.new("RGB", (columns * width, rows * height), "#777")
    draw = ImageDraw.Draw(whole)
    for index, (name, picture) in enumerate(pictures.items()):
        x, y = index % columns * width, index // columns * height
        draw.text((x + 4, y + 4), name, fill="white")
        whole.paste(picture, (x, y + 20))
    return whole


def shoot_look(browser: Any, service: Service, look: Look, folder: Path) -> list[str]:
    """Save the contact sheet of a look; return what is cut off and what axe-core finds serious."""
    found: list[str] = []
    query = f"?lang={look.language}&theme={look.theme}&sound=0"
    kiosk = Kiosk(browser, service, query, SIZES[look.size], script=PROBLEM)
    kiosk.page.emulate_media(reduced_motion="reduce")

    def check(screen: str) -> None:
        if look.size != PHONE and not kiosk.fits():
            found.append(f"{look.name} {screen}: does not fit the screen")
        if look.size == AXE_SIZE:
            found.extend(f"{look.name} {screen}: {finding}" for finding in serious(kiosk.page))

    photographer = Photographer(kiosk, Stage(kiosk.page), check)
    photographer.shoot_all()
    kiosk.page.close()
    sheet(photographer.pictures).save(folder / f"{look.name}.png")
    return found


def main(folder: Path, wanted: str = "") -> int:
    """Make the sheets whose names contain a text; return 1 if there are findings."""
    folder.mkdir(parents=True, exist_ok=True)
    looks = [Look(size, *look) for size in SIZES for look in LOOKS]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        camera = FakeCamera(Path(temporary) / "camera.mjpeg", portrait())
        with filming() as service, browsing(camera) as browser:
            for look in looks:
                if wanted in look.name:
                    found += shoot_look(browser, service, look, folder)
                    print(look.name, flush=True)
    print("\n".join(found) or "every screen fits, and axe-core found nothing serious")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
