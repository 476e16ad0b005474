"""The main path of the kiosk page in Firefox."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import jwt
import pytest

from tests.support.filmed import filmed_jpeg, filming
from tests.support.firefox import Firefox, firefox
from tests.support.service import KEY, Service
from tests.support.waiting import wait_for

LIVE = 30
CAMERA = """() => {
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    const image = new Image();
    window.faults = [];
    addEventListener("error", (event) => faults.push(event.message));
    addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
    document.addEventListener("lunapass", ({detail}) => { window.verdict = detail; });
    window.showImage = async (jpeg) => {
        image.src = jpeg;
        await image.decode();
    };
    devices.getUserMedia = async (wish) => {
        const camera = await ask(wish);
        if (!image.complete || image.naturalWidth === 0) return camera;
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const context = canvas.getContext("2d");
        setInterval(() => {
            context.drawImage(image, 0, 0);
            context.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
            context.fillRect(Math.random() * 20, 0, 20, 20);
        }, 60);
        return canvas.captureStream();
    };
}"""
"""Replaces the image of Firefox's fake camera by another one with some noise, once it is set."""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox") / "profile") as opened:
        opened.add_init_script(CAMERA)
        yield opened


@pytest.fixture(scope="module")
def service(window: Firefox) -> Iterator[Service]:
    """A service; it starts after the browser, without which the tests skip."""
    with filming() as started:
        yield started


def test_the_page_in_firefox(service: Service, window: Firefox) -> None:
    """The fake camera of Firefox shows no face.

    An image of a face leads to a token that verifies.
    """
    window.goto(f"http://127.0.0.1:{service.port}/?lang=en&advice=0")
    wait_for(lambda: window.evaluate("!document.getElementById('begin').disabled"))
    window.evaluate("document.getElementById('begin').click()")
    hint = "document.querySelector('.lp-renderer')?.dataset.hint"
    wait_for(lambda: window.evaluate(f"{hint} === 'aim'"))
    window.shoot("firefox-aim")
    window.evaluate("document.getElementById('cancel').click()")
    wait_for(lambda: window.evaluate("document.body.dataset.screen === 'start'"))
    jpeg = base64.b64encode(filmed_jpeg(1, LIVE)).decode()
    window.evaluate(f"showImage('data:image/jpeg;base64,{jpeg}')")
    window.evaluate("document.getElementById('begin').click()")
    wait_for(lambda: window.evaluate("document.body.dataset.screen === 'end'"))
    window.shoot("firefox-done")
    assert window.evaluate("document.body.dataset.outcome") == "done"
    token = window.evaluate("verdict.jwt")
    assert jwt.decode(token, KEY, algorithms=["HS256"], issuer="lunapass")["isOk"] is True
    assert window.evaluate("faults") == []
