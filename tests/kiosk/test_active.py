"""ActiveLiveness in a browser: a person who follows the prompts on the screen."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import jwt
import pytest

from loadtest.script import GESTURES, STRAIGHT
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from tests.support.browser import PROMPTS, Kiosk, browsing, serious
from tests.support.fake_camera import FakeCamera
from tests.support.service import KEY, running

ACTIONS = 3
POLL_SECONDS = 0.05
REACTION_SECONDS = (1.1, 1.4, 1.7)
"""Seconds from prompts to their actions. The time left is shown in whole seconds, so it has fallen
when the first frame with an action comes. A person never reacts equally fast."""
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
    return FakeCamera(tmp_path / "camera.mjpeg", person.render_jpeg(Look()))


def test_a_person_who_obeys_the_screen_passes(
    models_directory: Path, person: Person, camera: FakeCamera
) -> None:
    """The screen prompts and counts the actions, and ends with a verified token.

    Only the service knows the sequence: the image before the camera is rendered live, for the hint
    on the screen at that moment.
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
actionTimeout = 280
totalTimeout = 280
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
    assert shown["hints"][-1] == "done", "success replaces the last prompt"
    assert shown["step"] == ""
    assert any(0 < left < 1 for left in shown["left"]), "the ring that shows the time left shrinks"
    assert steps == [f"Action {number} of {ACTIONS}" for number in range(1, ACTIONS + 1)]


def obey(kiosk: Kiosk, person: Person, camera: FakeCamera) -> list[str]:
    """Follow the prompts until the check is over; return the progress shown.

    A pose is held until the screen prompts another one. With slow answers, a gesture that ended by
    itself would be repeated, or missed between two frames.
    """
    steps: list[str] = []
    asked = ""
    reactions = itertools.cycle(REACTION_SECONDS)
    kiosk.page.evaluate(RECORD_RENDERER)
    while kiosk.page.get_attribute("body", "data-screen") == "check":
        hint = kiosk.hint
        if hint in PROMPTS and hint != asked:
            asked, gesture = hint, GESTURES[PROMPTS[hint]]
            if gesture is not STRAIGHT:
                time.sleep(next(reactions))
            camera.show(person.render_jpeg(gesture.peak))
        step = str(kiosk.page.evaluate("document.querySelector('.lp-step')?.textContent ?? ''"))
        if step and step not in steps:
            steps.append(step)
            kiosk.shoot(f"action-{len(steps)}")
            if len(steps) == 1:
                assert serious(kiosk.page) == []
        time.sleep(POLL_SECONDS)
    return steps
