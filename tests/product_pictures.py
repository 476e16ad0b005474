"""Make the picture and the animation of the documentation: ``python -m tests.product_pictures``.

The script films the real kiosk page in Chromium, with the real models. The person before the camera
is synthetic, rendered from NASA's portrait of Eileen Collins (public domain), and follows the
prompts. Time follows the person's clock, so a slow machine makes the same animation.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw
from PIL.Image import Image

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from loadtest.script import Actor
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import astronaut
from lunapass.demo import portrait_of
from tests.support.browser import PROMPTS, Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.service import ROOT, running

FOLDER = ROOT / "docs" / "pictures"
MAX_ANIMATION_BYTES, MAX_PICTURE_BYTES = 600_000, 150_000
SCREEN, CAMERA = (360, 640), (480, 640)
"""Sizes in pixels: a phone, upright, and its camera's image."""
ANIMATION = (270, 480)
"""Size of the animation in pixels."""
FIRST_MS, LAST_MS = 1500, 3000
"""Seconds for which the animation shows the first and the last screen."""
GAP, CORNER = 24, 20
"""Pixels between two screens of the picture, and the radius of their corners."""
STEP = 0.12
"""Seconds of the person's clock between two images of the animation."""
FAR = Look(distance=1.7)
APPROACH = 1.5
"""Seconds for which the person stands far away, and seconds to come closer."""
MAX_STEPS = 400
SETTINGS = f"""
[MODELS]
directory = "{ROOT / "models"}"
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.ActiveLiveness]
isEnabled = 1
args.interactionsCount = 2
args.actionTimeout = 120
args.totalTimeout = 250
"""
REAL = 'backend = "onnx"'


@dataclass(frozen=True)
class Shot:
    """One image of the screen.

    Attributes:
        image: the screen.
        hint: name of the hint on it.
    """

    image: Image
    hint: str


def film() -> list[Shot]:
    """Film one check, from the first screen to the last."""
    backend = OnnxBackend(ModelStore(ROOT / "models", provider="cpu"))
    person = Person(portrait_of(astronaut(), backend), CAMERA)
    with tempfile.TemporaryDirectory() as folder:
        camera = FakeCamera(Path(folder) / "camera.mjpeg", person.render_jpeg(FAR))
        with (
            running(SETTINGS, workers=1, worker_settings=REAL) as service,
            browsing(camera) as browser,
        ):
            kiosk = Kiosk(browser, service, "?kiosk=1", SCREEN)
            kiosk.page.wait_for_selector("#begin:enabled")
            first = shot_of(kiosk)
            kiosk.start()
            return [first, *check(kiosk, person, camera)]


def check(kiosk: Kiosk, person: Person, camera: FakeCamera) -> Iterator[Shot]:
    """Play the person before the camera until the check has ended."""
    actor = Actor(seed=4)
    kiosk.page.wait_for_selector(".lp-renderer")
    for step in range(MAX_STEPS):
        now = step * STEP
        if (code := PROMPTS.get(kiosk.hint)) is not None:
            actor.ask(code)
        nearness = min(max(now / APPROACH - 1, 0.0), 1.0)
        look = actor.look(now)
        look = replace(look, distance=look.distance + (FAR.distance - 1) * (1 - nearness))
        camera.show(person.render_jpeg(look))
        kiosk.page.wait_for_timeout(100)  # so that the page shows it
        yield shot_of(kiosk)
        if kiosk.page.get_attribute("body", "data-screen") == "end":
            kiosk.page.wait_for_timeout(1000)  # the last screen fades in
            yield shot_of(kiosk)
            return
    raise SystemExit(f"no verdict after {MAX_STEPS} images; the last hint was {kiosk.hint!r}")


def shot_of(kiosk: Kiosk) -> Shot:
    """Capture an image of the screen."""
    return Shot(Pillow.open(io.BytesIO(kiosk.page.screenshot())).convert("RGB"), kiosk.hint)


def animation(shots: list[Shot]) -> bytes:
    """Return the whole check as an animated WebP."""
    images = [shot.image.resize(ANIMATION, Pillow.Resampling.LANCZOS) for shot in shots]
    steps = [FIRST_MS, *[round(STEP * 1000)] * (len(images) - 2), LAST_MS]
    file = io.BytesIO()
    images[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=steps,
        loop=0,
        quality=55,
        method=6,
    )
    return file.getvalue()


def picture(shots: list[Shot]) -> bytes:
    """Return the first screen, one with a prompt and the last one, side by side, as WebP."""
    prompted = [shot for shot in shots if shot.hint in PROMPTS and shot.hint != "straight"]
    if not prompted:
        raise SystemExit("the service asked for no action; make the pictures again")
    shown = (shots[0], prompted[-1], shots[-1])
    width, height = SCREEN
    whole = Pillow.new("RGBA", (3 * width + 2 * GAP, height))
    corners = Pillow.new("L", SCREEN)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, width - 1, height - 1), CORNER, fill=255)
    for index, shot in enumerate(shown):
        whole.paste(shot.image, (index * (width + GAP), 0), corners)
    file = io.BytesIO()
    whole.save(file, "WEBP", quality=80, method=6)
    return file.getvalue()


def main() -> None:
    """Write both files; exit with a message if one is too large for a page."""
    shots = film()
    for name, data, limit in (
        ("check.webp", animation(shots), MAX_ANIMATION_BYTES),
        ("screens.webp", picture(shots), MAX_PICTURE_BYTES),
    ):
        if len(data) > limit:
            raise SystemExit(f"{name} has {len(data)} bytes; allowed: {limit}")
        (FOLDER / name).write_bytes(data)
        print(f"{FOLDER / name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
