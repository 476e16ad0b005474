"""ActiveLiveness before a browser: a person who does what the screen says."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from loadtest.script import Actor
from loadtest.synthetic.person import Person
from shared.codes import Code
from tests.support.browser import Kiosk, browsing, serious
from tests.support.fake_camera import FakeCamera
from tests.support.service import KEY, running

ACTIONS = 3
PROMPTS = {
    "openEyes": Code.OPEN_EYES,
    "closeEyes": Code.CLOSE_EYES,
    "straight": Code.LOOK_STRAIGHT_YAW,
    "turnRight": Code.ASK_TURN_RIGHT,
    "turnLeft": Code.ASK_TURN_LEFT,
    "chinUp": Code.ASK_CHIN_UP,
    "chinDown": Code.ASK_CHIN_DOWN,
}
PERIOD = 0.08
RECORD_RENDERER = """() => {
    const shown = window.shown = {hints: [], left: [], step: null};
    new MutationObserver(() => {
        const renderer = document.querySelector(".lp-renderer");
        if (!renderer) return;
        shown.hints.push(renderer.dataset.hint);
        shown.step = renderer.querySelector(".lp-step").textContent;
        const ring = renderer.querySelector(".lp-time").getAttribute("stroke-dasharray");
        shown.left.push(Number(ring.split(" ")[0]));
    }).observe(document.getElementById("stage"), {childList: true, subtree: true,
        attributeFilter: ["data-hint", "stroke-dasharray"]});
}"""
"""Records what the renderer showed."""


@pytest.fixture
def camera(person: Person, tmp_path: Path) -> FakeCamera:
    return FakeCamera(tmp_path / "camera.mjpeg", person.render_jpeg(Actor().look(0.0)))


def test_a_person_who_obeys_the_screen_passes(
    models_directory: Path, person: Person, camera: FakeCamera
) -> None:
    """The screen alone leads through the actions, counts them, and ends with a verified token.

    Nobody but the service knows the sequence: the picture before the camera is rendered live, for
    the hint that is on the screen at that moment.
    """
    settings = f"""
[MODELS]
directory = "{models_directory}"  # the backend is the default one
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.ActiveLiveness]
isEnabled = 1
[MIDDLEWARES.WS.ActiveLiveness.args]
interactionsCount = {ACTIONS}
actionTimeout = 60
totalTimeout = 240
"""
    with running(settings, workers=1) as service, browsing(camera) as browser:
        kiosk = Kiosk(browser, service, size=(1080, 1920))
        kiosk.start()
        steps = obey(kiosk, person, camera)
        assert kiosk.wait_end("done")
        shown = kiosk.page.evaluate("window.shown")
        assert kiosk.faults == []
        claims = jwt.decode(kiosk.verdict["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["isOk"] is True
    assert shown["hints"][-1] == "done", "success takes the place of the last prompt"
    assert shown["step"] == ""
    assert any(0 < left < 1 for left in shown["left"]), "the ring of the time left shrinks"
    assert steps == [f"Action {number} of {ACTIONS}" for number in range(1, ACTIONS + 1)]


def obey(kiosk: Kiosk, person: Person, camera: FakeCamera) -> list[str]:
    """Do what the screen says until the check is over; the progress that the screen told."""
    actor = Actor(seed=4)
    steps: list[str] = []
    judged = False
    kiosk.page.evaluate(RECORD_RENDERER)
    while kiosk.page.get_attribute("body", "data-screen") == "check":
        began = time.monotonic()
        if (code := PROMPTS.get(kiosk.hint)) is not None:
            actor.ask(code)
        camera.show(person.render_jpeg(actor.look(began)))
        step = str(kiosk.page.evaluate("document.querySelector('.lp-step')?.textContent ?? ''"))
        if step and step not in steps:
            steps.append(step)
            kiosk.shoot(f"action-{len(steps)}")
            if not judged:
                assert serious(kiosk.page) == []
                judged = True
        time.sleep(max(0.0, began + PERIOD - time.monotonic()))
    return steps
