"""The kiosk page with real models: a person before a browser's camera, up to the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from tests.support.browser import Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.service import KEY, Service, running

FAULTS = (
    (Look(distance=1.8), "closer"),
    (Look(brightness=0.15), "moreLight"),
    (Look(yaw=28), "turnRight"),
    (Look(left_eye_closed=1, right_eye_closed=1), "openEyes"),
)


@pytest.fixture(scope="module")
def service(models_directory: Path) -> Iterator[Service]:
    settings = f"""
[MODELS]
directory = "{models_directory}"  # the backend is the default one
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
"""
    with running(settings, workers=1) as started:
        yield started


def test_a_person_follows_the_hints_to_a_token(
    service: Service, person: Person, tmp_path: Path
) -> None:
    """Each mistake gets its own hint in turn; the token verifies and has the best shot."""
    camera = FakeCamera(tmp_path / "camera.mjpeg", person.render_jpeg(FAULTS[0][0]))
    with browsing(camera) as browser:
        kiosk = Kiosk(browser, service)
        kiosk.start()
        for look, hint in FAULTS:
            camera.show(person.render_jpeg(look))
            kiosk.wait_hint(hint)
            kiosk.shoot(f"hint-{hint}")
        camera.show(person.render_jpeg(Look()))
        assert kiosk.wait_end("done") == "You're all set. The check was successful."
        kiosk.shoot("done")
        assert kiosk.page.is_visible("#bestshot")
        assert kiosk.faults == []
        claims = jwt.decode(kiosk.verdict["jwt"], KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["isOk"] is True
    assert claims["details"]["liveness"]["score"] >= 0.5
    assert claims["bestshot"].startswith("/9j/")
