"""The library sends no image twice, and smaller ones while answers are slow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from shared.frame.estimation import Face, Image
from tests.support.browser import Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import FilmedBackend, filmed_jpeg, filming
from tests.support.service import Service
from tests.support.waiting import wait_for

LATE, LIVE = 1, 30


class FrozenCamera(FakeCamera):
    """A camera whose driver delivers the same image repeatedly."""

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        yield


class LateBackend(FilmedBackend):
    """Answers as late as on a slow line."""

    def detect(self, image: Image) -> list[Face]:
        found = super().detect(image)
        if self._number == LATE:
            time.sleep(3)
        return found


LATE_SETTINGS = f'backend = "{__name__}:LateBackend"\njobTimeout = 30.0\n'
RECORD = """() => {
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (data instanceof Blob) createImageBitmap(data).then(
    (picture) => window.sent.push({bytes: data.size, width: picture.width}));
  return send.call(this, data);
}}
"""
"""Records each image that the page sends."""


def test_images_shrink_while_answers_are_slow(tmp_path: Path) -> None:
    """The first ones have full size; those after slow answers have fewer pixels and bytes."""
    camera = FakeCamera(tmp_path / "camera.mjpeg", filmed_jpeg(1, LATE))
    with filming(worker_settings=LATE_SETTINGS) as service, browsing(camera) as browser:
        kiosk = Kiosk(browser, service, size=(540, 960))
        kiosk.page.evaluate(RECORD)
        kiosk.start()
        wait_for(
            lambda: kiosk.page.evaluate("window.sent.some(({width}) => width < sent[0].width)")
        )
        first, *_, last = kiosk.page.evaluate("window.sent")
        assert last["bytes"] < 0.6 * first["bytes"]


def frames_received(service: Service) -> int:
    count: int = service.get("/statistics").json()["frames"]["received"]
    return count


def test_no_image_is_sent_twice(service: Service, tmp_path: Path) -> None:
    """The service, which refuses copies, gets each image once; a new one is sent at once."""
    camera = FrozenCamera(tmp_path / "camera.mjpeg", filmed_jpeg(1, 1))
    before = frames_received(service)

    def received() -> int:
        return frames_received(service) - before

    with browsing(camera) as browser:
        kiosk = Kiosk(browser, service, size=(540, 960))
        kiosk.start()
        wait_for(lambda: received() == 1)
        kiosk.page.wait_for_timeout(2000)
        assert received() == 1
        camera.show(filmed_jpeg(1, LIVE))
        kiosk.wait_end("done")
        assert received() == 2
        assert kiosk.faults == []
