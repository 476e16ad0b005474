"""The npm package: what is in it, its types, and that applications can be built with it."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from shared import __version__
from tests.support.service import ROOT

KIOSK = ROOT / "kiosk"
BUDGET = 15_000
VITE = "vite@8.4.0"
APP = {
    "package.json": '{"private": true, "type": "module"}',
    "index.html": '<div id="check"></div><script type="module" src="/main.ts"></script>',
    "main.ts": """
import { LPMessageRenderer, LunaPass, LunaPassError } from "open-lunapass";
import type { FrameStatus, Options, RendererOptions, Verdict } from "open-lunapass";
import "open-lunapass/lunapass.css";

const options: Options = { mode: "selfie", requestInterval: 200, startToken: async () => "token" };
const looks: RendererOptions = { errorMessages: { 32: "Hold still" }, adviceAfter: 6000 };

export async function check(element: HTMLElement, url: string): Promise<string | null> {
  const pass = new LunaPass(element, options);
  const renderer = new LPMessageRenderer(looks);
  try {
    await pass.attachCamera();
    await renderer.init(element);
    await pass.connectWS(url);
    const verdict: Verdict = await pass.checkLiveness((status: FrameStatus) => {
      renderer.render(status);
    });
    return verdict.jwt;
  } catch (error) {
    if (error instanceof LunaPassError) console.error(error.code, error.detail);
    throw error;
  } finally {
    await pass.detachCamera();
    await pass.disconnectWS();
    renderer.destroy();
  }
}

check(document.getElementById("check")!, "wss://service.example/ws");
""",
    "wrong.ts": """
import { LunaPass } from "open-lunapass";
new LunaPass(document.body, { mode: "mirror" });
""",
    "vite-env.d.ts": 'declare module "*.css";',
    "tsconfig.json": json.dumps(
        {
            "compilerOptions": {
                "strict": True,
                "noEmit": True,
                "target": "es2022",
                "module": "esnext",
                "moduleResolution": "bundler",
                "lib": ["es2022", "dom"],
                "types": [],
            },
            "files": ["vite-env.d.ts", "main.ts"],
        }
    ),
}


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, made from a copy of the sources; skips where npm is not installed."""
    if shutil.which("npm") is None or not (KIOSK / "node_modules" / "typescript").is_dir():
        pytest.skip("npm or kiosk/node_modules is missing: install Node.js and run 'make kiosk'")
    folder = tmp_path_factory.mktemp("package") / "kiosk"
    ignored = shutil.ignore_patterns("node_modules", "dist", "types", "__pycache__")
    shutil.copytree(KIOSK, folder, ignore=ignored)
    (folder / "node_modules").symlink_to(KIOSK / "node_modules")
    done = run("npm", "run", "--silent", "package", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = folder.glob("*.tgz")
    return package


@pytest.fixture(scope="module")
def app(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application that has installed the package and Vite; skips without a registry."""
    folder = tmp_path_factory.mktemp("app")
    for name, text in APP.items():
        (folder / name).write_text(text)
    quick = ("--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")
    done = run("npm", "install", *quick, str(packed), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    if run("npm", "install", *quick, "--save-dev", VITE, cwd=folder).returncode:
        pytest.skip("no npm registry, from which the test takes Vite")
    return folder


def tsc(app: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    compiler = KIOSK / "node_modules" / "typescript" / "bin" / "tsc"
    return run("node", str(compiler), *arguments, cwd=app)


def test_the_package_has_what_it_names_and_no_more(packed: Path) -> None:
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


def test_an_application_is_built_and_its_types_hold(app: Path) -> None:
    """Vite bundles module and style sheet; TypeScript accepts right calls and no wrong ones."""
    checked = tsc(app, "--project", "tsconfig.json")
    assert checked.returncode == 0, checked.stdout
    options = ["--strict", "--noEmit", "--module", "esnext", "--moduleResolution", "bundler"]
    wrong = tsc(app, *options, "--ignoreConfig", "wrong.ts")
    assert "mirror" in wrong.stdout
    built = run("npx", "--no", "vite", "build", "--logLevel", "warn", cwd=app)
    assert built.returncode == 0, built.stdout + built.stderr
    (script,) = (app / "dist" / "assets").glob("*.js")
    (style,) = (app / "dist" / "assets").glob("*.css")
    assert "lpproto.v1" in script.read_text()
    assert ".lp-renderer" in style.read_text()


def test_the_library_is_small() -> None:
    """Packed, it stays below its budget."""
    library = (KIOSK / "dist" / "lunapass.esm.js").read_bytes()
    assert len(gzip.compress(library)) < BUDGET
