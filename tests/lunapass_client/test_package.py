"""The client as a separate package needs nothing of the service, on any system."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import pytest

import lunapass.client
import lunapass_client
import lunapass_client.api
import shared

ROOT = Path(__file__).parents[2]
LIBRARIES = str(Path(msgspec.__file__).parents[1])
PROJECT = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())


def run(program: str, *path: Path | str) -> str:
    """Run a program that finds only these folders and Python's own modules."""
    code = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\n{program}"
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_service_and_client_have_the_same_version_and_requirements() -> None:
    """Both distributions are built from one commit, with the same version bounds."""
    assert lunapass_client.__version__ == shared.__version__
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    needs = set(config["options"]["install_requires"].split())
    assert set(PROJECT["project"]["dependencies"]) < needs


def test_all_public_names_can_be_imported() -> None:
    """They are loaded lazily; the former package name has them, too."""
    for name in lunapass_client.api.__all__:
        assert getattr(lunapass_client, name) is getattr(lunapass.client, name)
    with pytest.raises(AttributeError):
        _ = lunapass_client.no_such_name


def test_a_worker_does_not_load_websockets() -> None:
    """Workers and the aggregator need only the codes; websockets takes 12 MB of each process."""
    program = "import lunapass_client.codes; print('websockets' in sys.modules)"
    assert run(program, ROOT) == "False"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built as a user would, but with the installed build tools."""
    try:
        usable = int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        usable = False
    if not usable:
        pytest.skip("building a wheel without network needs setuptools 77 or newer here")
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"  # pip writes into the source folder
    shutil.copytree(ROOT / "clients/python", source, ignore=shutil.ignore_patterns("build"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("open_lunapass_client-*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert "lunapass_client/py.typed" in files.namelist()
        files.extractall(folder / "installed")
    return folder / "installed"


APPLICATION = """
from shared import NAME
from lunapass_client import ClientError, SyncClient
import asyncio, lunapass_client

try:
    SyncClient("ws://127.0.0.1:1/ws").__enter__()
except ClientError as error:
    print(NAME, type(error).__name__)
"""


def test_an_application_with_its_own_shared_folder_uses_it(installed: Path, tmp_path: Path) -> None:
    """The installed client imports nothing of the service."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("NAME = 'mine'")
    assert run(APPLICATION, tmp_path, installed, LIBRARIES) == "mine Unreachable"


WINDOWS = """
import asyncio, socket, websockets.asyncio.client, websockets.sync.client
sys.modules |= {"fcntl": None, "termios": None}
sys.platform = "win32"
from lunapass_client import Client, SyncClient, tcp
with socket.socket() as line:
    tcp.end_stalled_sends(line, 30)
    print(tcp.unacknowledged_bytes(line))
"""


def test_it_works_without_the_modules_of_linux() -> None:
    """Windows has no ``fcntl`` and no ``termios``; no bytes count as unacknowledged there."""
    assert run(WINDOWS, ROOT, LIBRARIES) == "0"
