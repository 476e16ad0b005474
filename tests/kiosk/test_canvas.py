"""Canvas protection of a browser is reported to the person and to the integrator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import Kiosk
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg
from tests.support.service import Service

LIVE = 30
PROTECTION = """
    const encode = HTMLCanvasElement.prototype.toBlob;
    const random = (most) => Math.floor(Math.random() * (most + 1));
    const protections = {
        white: () => 255,
        noise: () => random(255),
        faint: (level) => level + random(2) - 1,
    };
    HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
        const copy = document.createElement("canvas");
        [copy.width, copy.height] = [this.width, this.height];
        const context = copy.getContext("2d");
        context.drawImage(this, 0, 0);
        const picture = context.getImageData(0, 0, copy.width, copy.height);
        picture.data.forEach((level, i) => {
            if (i % 4 < 3) picture.data[i] = protections.KIND(level);
        });
        context.putImageData(picture, 0, 0);
        encode.call(copy, done, ...how);
    };
"""
"""Protections of privacy browsers: Tor white, Firefox noise, Brave and Safari faint noise."""


def protected(kind: str) -> str:
    return PROTECTION.replace("KIND", kind)


@pytest.mark.parametrize("kind", ["white", "noise"])
def test_canvas_protection_is_reported(
    service: Service, browser: Any, stamps: FakeCamera, kind: str
) -> None:
    """The screen says what to allow, and no protected image is sent to the service."""
    before = service.metric("lunapass_frames_received_total")
    kiosk = Kiosk(browser, service, size=(540, 960), script=protected(kind))
    kiosk.start()
    reason = kiosk.wait_end("problem")
    assert reason.startswith("The browser hides the camera's images")
    assert service.metric("lunapass_frames_received_total") == before
    assert kiosk.page.is_visible("#again")
    kiosk.shoot(f"failure-canvas-{kind}")


def test_faint_noise_is_accepted(service: Service, browser: Any, stamps: FakeCamera) -> None:
    """It does no harm to an image, and whole families of browsers add it."""
    stamps.show(filmed_jpeg(1, LIVE))
    kiosk = Kiosk(browser, service, size=(540, 960), script=protected("faint"))
    kiosk.start()
    kiosk.wait_end("done")


ENDED = """async (image) => {
    const { LunaPass } = await import("/lunapass.esm.js");
    const pass = new LunaPass(document.body, { image, timeout: 60_000 });
    await pass.attachCamera();
    await pass.connectWS(`ws://${location.host}/ws`);
    const judged = new Promise((resolve, reject) => {
        pass.checkLiveness(() => resolve("judged")).catch(reject);
    });
    const ended = await judged.catch((error) => error.code);
    await pass.disconnectWS();
    return ended;
}"""
"""Code of the check's error, or that a frame was judged."""


@pytest.mark.parametrize(
    "image",
    [{}, {"mimetype": "image/png"}, {"mimetype": "image/webp"}, {"quality": 0.05}],
    ids=str,
)
def test_encoding_errors_are_not_taken_for_protection(
    service: Service, browser: Any, stamps: FakeCamera, image: dict[str, Any]
) -> None:
    """This holds for every encoding that the integrator chooses.

    With protection the error has its code.
    """
    plain = Kiosk(browser, service, size=(540, 960))
    assert plain.page.evaluate(ENDED, image) == "judged"
    hidden = Kiosk(browser, service, size=(540, 960), script=protected("white"))
    assert hidden.page.evaluate(ENDED, image) == "page.canvas"
