"""A camera for Chromium whose image a test can change while it plays.

Chromium plays a file in place of a camera (``--use-file-for-fake-video-capture``) and maps it into
memory, so an image that overwrites the old one is what the browser sees next. For that each image
has the same length: the JPEG standard allows fill bytes before a marker. While the camera is on, it
takes the image repeatedly, each time with noise as from a sensor: the service refuses a frame that
it has seen before, and the library does not send one twice.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from loadtest.synthetic.sensor import Exposures

BYTES = 200_000
END = b"\xff\xd9"
QUALITY = 90
SECONDS = 1 / 15
"""Seconds between two images."""


class FakeCamera:
    """The file that Chromium uses as a camera.

    Args:
        path: file of the camera, to be given to the browser.
        jpeg: first image; all others have the same size and quality.
    """

    def __init__(self, path: Path, jpeg: bytes) -> None:
        self.path = path
        self._exposures = Exposures.of_file(jpeg, QUALITY)
        path.write_bytes(padded(self._exposures.shot()))

    def show(self, jpeg: bytes) -> None:
        """Show an image from now on."""
        self._exposures = Exposures.of_file(jpeg, QUALITY)
        self._take()

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Take images until the block ends."""
        off = threading.Event()

        def take_on() -> None:
            while not off.wait(SECONDS):
                self._take()

        taking = threading.Thread(target=take_on)
        taking.start()
        try:
            yield
        finally:
            off.set()
            taking.join()

    def _take(self) -> None:
        with self.path.open("r+b") as file:
            file.write(padded(self._exposures.shot()))


def padded(jpeg: bytes) -> bytes:
    """Fill a JPEG file up to the camera's length."""
    assert jpeg.endswith(END)
    assert len(jpeg) <= BYTES
    return jpeg[:-2] + b"\xff" * (BYTES - len(jpeg)) + END
