"""The demonstration: checks a synthetic person with a temporary service, verifies the token."""

import asyncio
import base64
import contextlib
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import jwt
from rich.console import Console
from rich.live import Live
from rich.table import Table
from websockets.exceptions import ConnectionClosed

from inference_pool.models.manifest import Kind, load_manifest
from inference_pool.models.store import find_kind
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from loadtest.script import Actor
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import Portrait, astronaut
from lunapass.supervisor import Supervisor
from lunapass_client import Answer, Client
from shared.codes import PROMPTS, hint
from shared.config.loading import load
from shared.config.recommended import PLUGINS
from shared.config.service import Config
from shared.config.source import ConfigSource
from shared.config.toml import value_text
from shared.errors import EstimationError, ResourceError, os_errors
from shared.frame.estimation import Image
from shared.process.clock import SYSTEM, Clock
from shared.process.files import write_atomically
from shared.wire.protocol import Command

WORKERS = 2
MAX_FRAMES = 200
FRAME_SECONDS = 0.2
MISTAKES: tuple[tuple[str, Look], ...] = (
    ("stands too far away", Look(distance=1.8)),
    ("is blurred", Look(blur=4.0)),
    ("stands in the dark", Look(brightness=0.15)),
    ("looks to the side", Look(yaw=28.0)),
    ("has their eyes closed", Look(left_eye_closed=1.0, right_eye_closed=1.0)),
)
FRAMES_EACH = 2
PLAIN = "looks into the camera"


def write_config(file: Path, models: Path, port: int, *, passive: bool) -> Config:
    """Write the recommended configuration with a new key, and return it.

    Without the reference models (``passive`` is False), everyone is asked for actions instead.

    Raises:
        ResourceError: the file cannot be written.
    """
    # The fallback models cannot describe faces, which FaceMatcher compares.
    plugins = PLUGINS if passive else ("Bestshot", "ActiveLiveness")
    turned_on = "\n".join(f"[MIDDLEWARES.WS.{name}]\nisEnabled = 1\n" for name in plugins)
    text = f"""\
[LUNA_PASS]
env = "development"
host = "127.0.0.1"
port = {port}
logLevel = 0

[LUNA_PASS.JWT]
key = "{secrets.token_hex(32)}"

{turned_on}
[WORKERS]
count = {WORKERS}

[MODELS]
directory = {value_text(str(models.absolute()))}

[TRANSPORT]
runtimeDirectory = {value_text(str(file.parent.absolute() / "run"))}
"""
    with os_errors(file, "give another --output"):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.encode(), mode=0o600)
    return load(file)


def free_port() -> int:
    """Return a port that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def portrait_of(image: Image, backend: OnnxBackend) -> Portrait:
    """Fit the face mesh to an image.

    Raises:
        ResourceError: there is no face, or it cannot be measured.
    """
    faces = backend.detect(image)
    if not faces:
        raise ResourceError("the portrait shows no face; choose another image")
    face = faces[0]
    try:
        backend.head_pose(image, face)
    except EstimationError as error:
        raise ResourceError(f"the portrait's face cannot be measured: {error}") from error
    assert isinstance(face, DetectedFace)
    assert face.mesh is not None
    return Portrait(image, face.mesh)


def make_person(portrait: Path | None, config: Config) -> Person:
    """Create the synthetic person from an image, or from the default portrait.

    Raises:
        ResourceError: the image cannot be read or shows no usable face.
    """
    image = astronaut() if portrait is None else cv2.imread(str(portrait))
    if image is None:
        raise ResourceError(f"portrait {portrait}: cannot be read as an image")
    return Person(portrait_of(image, OnnxBackend.from_config(config)))  # type: ignore[arg-type]


class Scenes:
    """The scenes in order; the last one, in which the person does what is asked, never ends."""

    def __init__(self) -> None:
        self._mistakes = [scene for scene in MISTAKES for _ in range(FRAMES_EACH)]
        self._actor = Actor()
        self._doing = PLAIN

    def follow(self, codes: Iterable[int]) -> None:
        """React to the codes of the previous frame."""
        asked = [code for code in codes if code in PROMPTS]
        for code in asked:
            self._actor.ask(code)
        self._doing = f"is asked: {hint(asked[-1]).lower()}" if asked else PLAIN

    def next(self, now: float) -> tuple[str, Look]:
        """Return the name of the scene and the look at a time in seconds."""
        if self._mistakes:
            return self._mistakes.pop(0)
        return self._doing, self._actor.look(now)


class Report:
    """The live table of frame statuses."""

    def __init__(self, console: Console) -> None:
        self._table = Table(title="Answers of the service")
        for name in ("frame", "the person", "codes", "hints", "liveness", "ms"):
            self._table.add_column(name)
        self.live = Live(self._table, console=console, auto_refresh=False)

    def add(self, scene: str, answer: Answer, milliseconds: float) -> None:
        """Show one answer."""
        errors = answer.body["errors"] if answer.command is Command.STATUS else []
        details = answer.body["details"] if answer.command is Command.STATUS else {}
        score = details.get("liveness", {}).get("score")
        self._table.add_row(
            str(answer.seq),
            scene,
            " ".join(map(str, errors)) or "-",
            _hints(answer),
            "-" if score is None else f"{score:.2f}",
            f"{milliseconds:.0f}",
        )
        self.live.refresh()


def _hints(answer: Answer) -> str:
    """Describe an answer: hints of a STATUS, or why a frame was not judged."""
    if answer.command is not Command.STATUS:
        reason = answer.dropped or (answer.refusal and answer.refusal.code) or ""
        return f"{answer.command} {reason}".strip()
    errors = answer.body["errors"]
    return "; ".join(dict.fromkeys(hint(code) for code in errors)) or "all checks passed"


async def play(url: str, person: Person, report: Report, *, clock: Clock = SYSTEM) -> Answer:
    """Send frames of the scenes until there is a verdict; return the final answer.

    Raises:
        ResourceError: there was no verdict within ``MAX_FRAMES``.
    """
    scenes = Scenes()
    async with Client(url) as client:
        for number in range(MAX_FRAMES):
            started = clock.monotonic()
            # The person moves by the number of frames: a slow machine would miss a blink.
            scene, look = scenes.next(number * FRAME_SECONDS)
            frame = await asyncio.to_thread(person.render_jpeg, look)
            sent = clock.monotonic()
            try:
                await client.send_frame(frame)
                answer = await client.receive()
            except ConnectionClosed as error:
                raise ResourceError("the service ended the session without success") from error
            if answer.command is Command.RESULT:
                return answer
            report.add(scene, answer, (clock.monotonic() - sent) * 1000)
            if answer.command is Command.STATUS:
                scenes.follow(answer.body["errors"])
                if answer.body["isOk"]:
                    return await client.receive()  # RESULT follows the accepted frame
            await asyncio.sleep(max(0.0, started + FRAME_SECONDS - clock.monotonic()))
    raise ResourceError(f"no verdict within {MAX_FRAMES} frames")


async def demonstrate(folder: Path, models: Path, portrait: Path | None, *, camera: bool) -> None:
    """Run the demonstration; the folder gets the configuration and the token's best shot.

    Raises:
        StartupError: something is missing, or the person is not accepted.
    """
    console = Console()
    passive = find_kind(models, load_manifest()) is Kind.REFERENCE
    if not passive:
        console.print(
            "passive liveness is weak: only the fallback models are here; "
            "ActiveLiveness is on, the person must act"
        )
    port = 8321 if camera else free_port()
    config = write_config(folder / "config.toml", models, port, passive=passive)
    supervisor = Supervisor(ConfigSource(folder / "config.toml"), WORKERS)
    person = await asyncio.to_thread(make_person, portrait, config)
    console.print("starting gateway, aggregator and two workers ...")
    await supervisor.start()
    try:
        report = Report(console)
        url = f"ws://127.0.0.1:{config.LUNA_PASS.port}/ws"
        with report.live:
            result = await play(url, person, report)
        if not console.is_terminal:
            console.line()  # a live table writes it only to a terminal
        claims = verified(result, config)
        best_shot = folder / "bestshot.jpg"
        best_shot.write_bytes(base64.b64decode(claims["bestshot"]))
        console.print(f"token verified: session {claims['sid']}, id {claims['jti']}")
        console.print(f"best shot written to {best_shot}")
        if camera:
            page = f"http://localhost:{config.LUNA_PASS.port}/"
            console.print(f"open {page} on a device with a camera; Ctrl-C stops the service")
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor.wait()
    finally:
        await supervisor.stop()


def verified(result: Answer, config: Config) -> dict[str, Any]:
    """Verify the token of a final answer as an integrator's server would; return its claims.

    Raises:
        ResourceError: the session was refused.
    """
    if result.command is not Command.RESULT or not result.body["isOk"]:
        raise ResourceError(f"the session was refused: {result.body}")
    section = config.LUNA_PASS.JWT
    claims: dict[str, Any] = jwt.decode(
        result.body["jwt"],
        section.key.get_secret_value(),
        algorithms=[section.algorithm],
        issuer=section.issuer,
        options={"require": ["exp", "iat", "jti", "sid", "iss"]},
    )
    return claims
