"""A camera for Chromium whose picture a test chooses while it plays.

Chromium plays a file in place of a camera (``--use-file-for-fake-video-capture``) and maps it into
memory, so a picture that is written over the old one is what the browser sees next. For that each
picture has the same length: the JPEG standard allows fill bytes before a marker.
"""

from __future__ import annotations

from pathlib import Path

BYTES = 200_000
END = b"\xff\xd9"


class FakeCamera:
    """The file that Chromium takes for a camera.

    Args:
        path: file of the camera, to be given to the browser.
        jpeg: first picture; all others have the same size and quality.
    """

    def __init__(self, path: Path, jpeg: bytes) -> None:
        self.path = path
        path.write_bytes(padded(jpeg))

    def show(self, jpeg: bytes) -> None:
        """Show a picture from now on."""
        with self.path.open("r+b") as file:
            file.write(padded(jpeg))


def padded(jpeg: bytes) -> bytes:
    """Fill a JPEG file up to the camera's length."""
    assert jpeg.endswith(END)
    assert len(jpeg) <= BYTES
    return jpeg[:-2] + b"\xff" * (BYTES - len(jpeg)) + END
