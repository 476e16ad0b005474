"""Sessions on slow and lossy lines with every kind of client: how many get RESULT, and when.

    python -m benchmarks.slow_lines [--sessions 3] [--only CLIENT] [--kbit N] [--checkout FOLDER]

Needs root: service and clients are hosts in network namespaces, and the line between them is
shaped. The Python clients send frames of 60 kB and get a RESULT of 320 kB. The page takes its own
frames, 1280 x 720, of a person who is not live for the first 30 s. The benchmark fails unless every
session was accepted and got its RESULT.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from shared.frame.estimation import Box, Face, Image
from tests.machines.network import Network, network
from tests.machines.slow_line import LineKind, slow_down
from tests.support.browser import ALLOW, FLAGS, chromium
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import film, stamped_part
from tests.support.service import ROOT, Service, running
from tests.support.stamp import StampBackend, StampedFace, stamp

LINES = (LineKind(64), LineKind(256), LineKind(1000, loss=0.05))
CLIENTS = ("asynchronous", "synchronous", "bare", "page")
MAX_SESSION_SECONDS = 300.0
"""Time after which a session has failed."""
NOT_LIVE, LIVE = 1, 50
NOT_LIVE_SECONDS = 30.0
"""Time in which the person in front of the camera is not live, so that frames are refused."""
FRAMES = 12
CAMERA = (1280, 720)
FACE_WIDTH = 420
"""Width of the face in pixels of the camera image."""
RECORD = """
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (data instanceof Blob) window.sent.push(data.size);
  return send.call(this, data);
};
"""
"""Records the size of each frame that the page sends, in bytes."""
DRIVER = Path(__file__).with_name("slow_line_client.py")


class AnySizeStamps(StampBackend):
    """Reads stamps in frames that the page has scaled down; the face is scaled with them."""

    def detect(self, image: Image) -> list[Face]:
        """Return the face at its position in a frame of this size."""
        if image.shape[:2] == (480, 640):  # from a Python client
            return super().detect(image)
        super().detect(stamped_part(image, CAMERA[1]))
        height, width = image.shape[:2]
        side = round(FACE_WIDTH * height / CAMERA[1])
        return [StampedFace(Box((width - side) // 2, (height - side) // 2, side, side))]


@dataclass
class Row:
    """Results of one client on one line.

    Attributes:
        accepted: sessions that the service accepted.
        given: sessions whose client got RESULT with a token.
        seconds: their times from the connection to RESULT.
        reconnections: connections beyond the first of each session.
    """

    sessions: int = 0
    accepted: int = 0
    given: int = 0
    seconds: list[float] = field(default_factory=list)
    reconnections: int = 0

    def add(self, given: bool, seconds: float, connections: int) -> None:
        """Count a session."""
        self.sessions += 1
        self.given += given
        self.reconnections += connections - 1
        if given:
            self.seconds.append(seconds)

    def __str__(self) -> str:
        median = f"{np.median(self.seconds):8.1f}" if self.seconds else "       -"
        return (
            f"{self.sessions:9} {self.accepted:9} {self.given:7} {median} {self.reconnections:14}"
        )


def noisy(width: int, height: int, rows: int, number: int = LIVE) -> Image:
    """A stamped image whose last rows are noise, which makes its JPEG larger.

    The second stamp, in the middle, is for the page, which sends only what it shows.
    """
    image = np.full((height, width, 3), 127, np.uint8)
    noise = np.random.default_rng().integers(90, 160, (rows, width, 1), dtype=np.uint8)
    image[height - rows :] = np.repeat(noise, 3, axis=2)
    stamp(image, 1, number)
    film(image, 1, number)
    return image


def encoded(image: Image, quality: int) -> bytes:
    """Encode an image as JPEG."""
    data: bytes = simplejpeg.encode_jpeg(image, quality=quality, colorspace="BGR")
    return data


@contextlib.contextmanager
def site(checkout: Path) -> Iterator[tuple[Network, Service]]:
    """Run a service on a host of a network."""
    own = checkout == ROOT
    backend = 'backend = "benchmarks.slow_lines:AnySizeStamps"\n' if own else ""
    with network(1) as net, pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("LUNAPASS__LUNA_PASS__HOST", "0.0.0.0")
        with net.hosts[0].inside():
            service = stack.enter_context(
                running(workers=1, worker_settings=backend, checkout=checkout)
            )
        try:
            yield net, service
        finally:
            with net.hosts[0].inside():
                stack.close()


def accepted(net: Network, service: Service) -> int:
    """Number of sessions accepted so far."""
    with net.hosts[0].inside():
        return int(service.metric('lunapass_sessions_total{outcome="accepted"}'))


def check_by_driver(
    net: Network, service: Service, client: str, checkout: Path, frames: Path
) -> tuple[bool, float, int]:
    """Run a checkout's client; return whether it got RESULT, its seconds and connections."""
    url = f"ws://{net.hosts[0].address}:{service.port}/ws"
    python = checkout / ".venv" / "bin" / "python"
    enter = ["nsenter", "-t", str(net.switch.pid), "-n", "--"]
    command = [*enter, str(python), str(DRIVER), client, url, str(frames)]
    environment = {"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MAX_SESSION_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False, MAX_SESSION_SECONDS, 1
    given, seconds, connections = json.loads(done.stdout)
    return given, seconds, connections


@contextlib.contextmanager
def browser(net: Network, origin: str, camera: FakeCamera) -> Iterator[Any]:
    """A browser at the switch that treats the service's address as secure."""
    from playwright.sync_api import sync_playwright

    flags = [
        *FLAGS,
        ALLOW,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera.path}",
        f"--unsafely-treat-insecure-origin-as-secure={origin}",
    ]
    with net.switch.inside(), sync_playwright() as playwright, camera.on():
        running_browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield running_browser
        finally:
            running_browser.close()


def check_by_page(
    net: Network, service: Service, folder: Path, kind: LineKind
) -> tuple[bool, float, int, list[int]]:
    """Run the page; return whether it got RESULT, its seconds, connections and frame sizes."""
    origin = f"http://{net.hosts[0].address}:{service.port}"
    camera = FakeCamera(folder / "camera.mjpeg", encoded(noisy(*CAMERA, 250, NOT_LIVE), 80))
    slow_down(net, 0, LineKind(100_000))  # fast, to load the page
    with browser(net, origin, camera) as chrome:
        page = chrome.new_page(viewport={"width": 540, "height": 960})
        connections: list[object] = []
        page.on("websocket", lambda line: connections.append(line))
        page.add_init_script(RECORD)
        page.goto(f"{origin}/")
        page.evaluate("document.addEventListener('lunapass', (e) => { window.verdict = e.detail })")
        slow_down(net, 0, kind)
        start = time.monotonic()
        page.click("#begin")
        page.wait_for_timeout(1000 * NOT_LIVE_SECONDS)
        camera.show(encoded(noisy(*CAMERA, 250), 80))
        with contextlib.suppress(Exception):  # without the last screen there was no RESULT
            page.wait_for_selector("[data-screen=end]", timeout=1000 * MAX_SESSION_SECONDS)
        given = bool(page.evaluate("window.verdict?.jwt ?? ''"))
        sizes = page.evaluate("window.sent")
        return given, time.monotonic() - start, len(connections), sizes


def main() -> int:
    """Measure every client on every line and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=3, help="sessions per client and line")
    parser.add_argument("--only", choices=CLIENTS, action="append", help="clients to measure")
    parser.add_argument("--kbit", type=int, action="append", help="lines to measure")
    parser.add_argument(
        "--checkout", type=Path, default=ROOT, help="checkout of service and clients"
    )
    asked = parser.parse_args()
    lost = 0
    head = "sessions  accepted  RESULT  seconds  reconnections"
    print(f"{'line':20} {'client':13} {head}")
    with (
        tempfile.TemporaryDirectory() as folder,
        site(asked.checkout) as (net, service),
    ):
        frames = Path(folder) / "frames"
        for kind in LINES:
            for client in asked.only or CLIENTS:
                if asked.kbit and kind.kbit not in asked.kbit:
                    continue
                row = Row(accepted=-accepted(net, service))
                sizes: list[int] = []
                for _ in range(asked.sessions):
                    frames.mkdir(exist_ok=True)
                    for number in range(FRAMES):
                        data = encoded(noisy(640, 480, 430), 52)
                        (frames / f"{number:02}.jpeg").write_bytes(data)
                    if client == "page":
                        given, seconds, connections, sizes = check_by_page(
                            net, service, Path(folder), kind
                        )
                        row.add(given, seconds, connections)
                    else:
                        slow_down(net, 0, kind)
                        row.add(*check_by_driver(net, service, client, asked.checkout, frames))
                row.accepted += accepted(net, service)
                lost += row.sessions - row.given
                note = f"  {[round(size / 1000) for size in sizes[:12]]} kB" if sizes else ""
                print(f"{kind!s:20} {client:13} {row}{note}", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
