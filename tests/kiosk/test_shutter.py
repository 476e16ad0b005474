"""A camera slower than the frames are asked for: the library sends no picture twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.browser import Kiosk, browsing, until
from tests.support.fake_camera import FakeCamera
from tests.support.service import running
from tests.support.stamp import stamped_jpeg

LIVE = 30


class FrozenCamera(FakeCamera):
    """A camera whose driver delivers the same picture again and again."""

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        yield


def test_no_picture_is_sent_twice(tmp_path: Path) -> None:
    """The service, which refuses repetitions, gets each picture once; a new one is sent at once."""
    camera = FrozenCamera(tmp_path / "camera.mjpeg", stamped_jpeg(1, 1))
    with running(workers=1) as service, browsing(camera) as browser:

        def received() -> int:
            count: int = service.get("/statistics").json()["frames"]["received"]
            return count

        kiosk = Kiosk(browser, service, size=(540, 960))
        kiosk.start()
        until(lambda: received() == 1)
        kiosk.page.wait_for_timeout(2000)
        assert received() == 1
        camera.show(stamped_jpeg(1, LIVE))
        kiosk.wait_end("done")
        assert received() == 2
        assert kiosk.faults == []
