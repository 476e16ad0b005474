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
        assert kiosk.faults == []
        claims = jwt.decode(kiosk.verdict["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["isOk"] is True
    assert steps == [f"Action {number} of {ACTIONS}" for number in range(1, ACTIONS + 1)]


def obey(kiosk: Kiosk, person: Person, camera: FakeCamera) -> list[str]:
    """Do what the screen says until the check is over; the progress that the screen told."""
    actor = Actor(seed=4)
    steps: list[str] = []
    judged = False
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
