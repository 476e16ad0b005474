"""The build and the npm package: contents, types, and applications built with the package."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.web.static_files import installed
from shared import __version__
from tests.support.browser import page_errors_of, shoot
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import KEY, ROOT, Service
from tests.support.waiting import wait_for

KIOSK = ROOT / "kiosk"
APPS = Path(__file__).with_name("apps")
BUDGETS = {"lunapass.esm.js": 15_000, "element.js": 3_000, "react.js": 3_000}
LIVE = 30
SPY = """
    window.sockets = [];
    window.streams = [];
    window.WebSocket = class extends WebSocket {
        constructor(...where) { super(...where); sockets.push(this); }
        send(data) {
            this.connect ??= JSON.parse(data).headers;
            super.send(data);
        }
    };
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wish) => {
        await window.gate;
        const stream = await ask(wish);
        streams.push(stream);
        return stream;
    };
    window.counts = () => [
        sockets.length,
        streams.length,
        streams.filter((stream) => stream.active).length,
        sockets.filter((socket) => socket.readyState < 2).length,
    ];
"""
"""Counts connections and cameras, in total and open now; can delay a camera."""

CONNECTS = """sockets.filter((socket) => socket.connect).map(
    ({connect}) => [connect["start-token"], connect.client.mode])"""

LAYOUT = """(() => {
    const root = document.querySelector("face-liveness")?.shadowRoot ?? document;
    const [icon, words] = [".lp-picture", ".lp-words"].map(
        (name) => root.querySelector(name).getBoundingClientRect());
    return [icon.width, words.left - icon.right];
})()"""


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NODE_ENV": "development"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def link_packages(folder: Path, *left_out: str) -> None:
    """Link the packages installed for the kiosk into a folder."""
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    for package in (KIOSK / "node_modules").iterdir():
        if package.name not in left_out:
            (modules / package.name).symlink_to(package)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, made from a copy of the sources; tests skip if npm is not installed."""
    if shutil.which("npm") is None or not (KIOSK / "node_modules" / "vite").is_dir():
        pytest.skip("npm or kiosk/node_modules is missing: install Node.js and run 'make kiosk'")
    folder = tmp_path_factory.mktemp("package") / "kiosk"
    ignored = shutil.ignore_patterns("node_modules", "dist", "types", "__pycache__")
    shutil.copytree(KIOSK, folder, ignore=ignored)
    link_packages(folder, "@vladmandic")  # without the face detector, which is not in the package
    done = run("npm", "run", "--silent", "package", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = folder.glob("*.tgz")
    return package


@pytest.fixture(scope="module")
def app(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three applications in which the package is installed."""
    folder = tmp_path_factory.mktemp("app") / "apps"
    shutil.copytree(APPS, folder)
    offline = ("--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts")
    done = run("npm", "install", *offline, "--silent", str(packed), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    link_packages(folder, ".package-lock.json")  # npm's list of installed packages
    return folder


@pytest.fixture(scope="module")
def service(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that serves the three applications, built with Vite."""
    built = run("node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", cwd=app)
    assert built.returncode == 0, built.stdout + built.stderr
    folder = tmp_path_factory.mktemp("site")
    for source in (installed(), app / "dist"):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    with filming(f'[KIOSK]\ndirectory = "{folder}"') as started:
        yield started


def test_the_package_has_exactly_its_exports(packed: Path) -> None:
    """Every export exists; there are no dependencies, sources or detector in it."""
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    described = json.loads((KIOSK / "package.json").read_text())
    exports = described["exports"]
    files = [path for entry in exports.values() for path in _paths(entry)]
    assert {path.removeprefix("./") for path in files} <= names
    assert {"README.md", "LICENSE"} <= names
    assert not any(name.startswith(("src", "dist/page", "dist/detector")) for name in names)
    assert described["version"] == __version__
    assert not {"private", "dependencies", "optionalDependencies"} & described.keys()
    assert (KIOSK / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def _paths(entry: str | dict[str, str]) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    return {name: data for name, data in found.items() if not name.startswith("detector/")}


def test_dist_is_a_fresh_build(packed: Path) -> None:
    """Each committed file equals a fresh build, so a page built without Node.js is the same."""
    fresh, committed = contents(packed.parent / "dist"), contents(KIOSK / "dist")
    assert sorted(fresh) == sorted(committed)
    changed = [name for name, data in fresh.items() if committed[name] != data]
    assert changed == [], "run 'make kiosk' and commit kiosk/dist"


def test_the_types_are_checked(app: Path) -> None:
    """TypeScript accepts correct calls and rejects wrong ones."""
    checked = run("node", "node_modules/typescript/bin/tsc", cwd=app)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["plain", "react", "vue"])
def test_an_application_gets_a_token(
    service: Service, browser: Any, stamps: FakeCamera, name: str
) -> None:
    """A page, React's component and the custom element in Vue, each built from the package.

    React's strict mode mounts twice and opens one session. An unmounted check turns its camera off,
    and its replacement gets the verdict.
    """
    page = browser.new_page(viewport={"width": 640, "height": 640}, locale="en-US")
    page.add_init_script(SPY)
    faults = page_errors_of(page)
    page.goto(f"http://127.0.0.1:{service.port}/{name}.html")
    wait_for_hint(page)
    made = [1, 1]
    assert page.evaluate("counts()") == [*made, 1, 1]
    if page.evaluate("recorded.mountAgain !== undefined"):
        page.evaluate("recorded.hints = []; recorded.mountAgain()")
        wait_for_hint(page)
        made = [2, 2]
        assert page.evaluate("counts()") == [*made, 1, 1]
    icon_width, gap = page.evaluate(LAYOUT)
    assert 0 < icon_width < 200
    assert gap >= 0, "the text overlaps the icon"
    shoot(page, f"app-{name}")
    stamps.show(filmed_jpeg(1, LIVE))
    wait_for(lambda: page.evaluate("recorded.verdict ?? recorded.error"))
    assert page.evaluate("recorded.error ?? null") is None
    token = page.evaluate("recorded.verdict.jwt")
    assert jwt.decode(token, KEY, algorithms=["HS256"], issuer="lunapass")["isOk"] is True
    tokens = page.evaluate("sockets.map((socket) => socket.connect['start-token'])")
    assert tokens == ["of the relying party"] * made[0]
    wait_for(lambda: page.evaluate("counts()") == [*made, 0, 0])
    shoot(page, f"app-{name}-done")
    assert faults == []


def test_the_element_follows_its_attributes(service: Service, browser: Any) -> None:
    """A wrong address shows an error, the right one restarts the check, and removal ends it."""
    page = browser.new_page()
    page.add_init_script(SPY)
    page.goto(f"http://127.0.0.1:{service.port}/vue.html")
    page.evaluate("window.element = document.querySelector('face-liveness')")
    page.evaluate("element.setAttribute('url', 'nonsense://')")
    wait_for(lambda: page.evaluate("recorded.error"))
    assert page.evaluate("recorded.error") == "state"
    assert page.locator(".lp-renderer[data-hint=failed]").inner_text().startswith("Something went")
    assert page.evaluate("counts().slice(2)") == [0, 0]
    page.evaluate("Object.assign(recorded, {error: undefined, hints: []})")
    page.evaluate("element.setAttribute('url', `ws://${location.host}/ws`)")
    wait_for_hint(page)
    assert page.evaluate("counts().slice(2)") == [1, 1]
    page.evaluate("element.remove()")
    assert page.evaluate("counts().slice(2)") == [0, 0]
    assert page.evaluate("element.shadowRoot.childElementCount") == 0
    assert page.evaluate("recorded.error") is None


def test_the_element_keeps_earlier_properties(service: Service, browser: Any) -> None:
    """A page may set them before the module is loaded; options may include a start token."""
    page = browser.new_page()
    page.add_init_script(SPY)
    page.goto(f"http://127.0.0.1:{service.port}/setup")
    page.evaluate("""async () => {
        window.element = document.createElement("face-liveness");
        Object.assign(element, {startToken: () => "early", options: {mode: "operator"}});
        element.setAttribute("url", `ws://${location.host}/ws`);
        document.body.append(element);
        await import("/element.js");
    }""")
    wait_for(lambda: page.evaluate(CONNECTS) == [["early", "operator"]])
    page.evaluate("""() => {
        Object.assign(element, {startToken: undefined, options: {startToken: () => "option"}});
        element.restart();
    }""")
    wait_for(lambda: page.evaluate(CONNECTS) == [["early", "operator"], ["option", "selfie"]])


def test_a_late_camera_does_not_disturb_the_next_check(service: Service, browser: Any) -> None:
    """The camera of an ended check arrives while the next one runs, and is only turned off."""
    page = browser.new_page()
    page.add_init_script(SPY + "window.gate = new Promise((open) => { window.openGate = open; });")
    page.goto(f"http://127.0.0.1:{service.port}/vue.html")
    wait_for(lambda: page.evaluate("recorded.hints.includes('camera')"))
    page.evaluate("gate = undefined; document.querySelector('face-liveness').restart()")
    wait_for_hint(page)
    page.evaluate("openGate()")
    wait_for(lambda: page.evaluate("counts().slice(1)") == [2, 1, 1])
    drawn = "document.querySelector('face-liveness').shadowRoot.querySelector('.lp-renderer')"
    width = f"getComputedStyle({drawn}).getPropertyValue('--lp-oval-width')"
    assert page.evaluate(width).endswith("px")


def wait_for_hint(page: Any) -> None:
    """Wait until the service has judged frames."""
    wait_for(lambda: page.evaluate("recorded.hints.includes('checking') || recorded.error"))


def test_the_library_is_small() -> None:
    """Compressed, each module stays within its budget."""
    for module, budget in BUDGETS.items():
        assert len(gzip.compress((KIOSK / "dist" / module).read_bytes())) < budget, module
