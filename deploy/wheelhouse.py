"""Builds an archive for offline installation: wheels, models, checksums and the installer.

``python -m deploy.wheelhouse`` (``make wheelhouse``) writes ``lunapass-VERSION-TARGET.tar``.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from inference_pool.models.inventory import inspect, require
from shared import __version__
from shared.errors import ResourceError, StartupError

SOURCE = Path(__file__).parents[1]
EXTRAS = "video,demo"
OLDER_PYTHONS = ("async-timeout",)
"""What redis needs before Python 3.11.3, such as Debian 12's. Whatever the target, pip decides by
the version of the Python that it runs with."""
EXAMPLES = ("grafana", "prometheus", "nginx", "haproxy")
"""Folders of ``deploy`` with files for other programs; the wheel has them too."""
SUMS = "SHA256SUMS"


@click.command(help="Build the archive for offline installation.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build"))
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"))
@click.option("--extras", default=EXTRAS, show_default=True, help="Extras to install.")
@click.option("--platform", help="Wheel platform of the target, such as manylinux_2_28_x86_64.")
@click.option("--python", "version", help="Python version of the target, such as 3.12.")
def main(
    output: Path, models: Path, extras: str, platform: str | None, version: str | None
) -> None:
    """Collect and pack the files."""
    target = f"{platform or 'local'}-py{version or '.'.join(map(str, sys.version_info[:2]))}"
    name = f"lunapass-{__version__}-{target}"
    try:
        with tempfile.TemporaryDirectory(prefix="lunapass-wheelhouse-") as folder:
            root = Path(folder) / name
            collect(root, models, extras, foreign_target(platform, version))
            archive = pack(root, output)
    except StartupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB")


def foreign_target(platform: str | None, version: str | None) -> list[str]:
    """Return pip's options for a target other than this machine."""
    options = ["--platform", platform] if platform else []
    options += ["--python-version", version] if version else []
    return [*options, "--only-binary=:all:"] if options else []


def collect(root: Path, models: Path, extras: str, target: list[str]) -> None:
    """Copy wheels, models, examples and installer to a folder, and write their checksums.

    Raises:
        ResourceError: pip cannot get a wheel.
        ModelError: a model file is missing or different.
    """
    collect_wheels(root / "wheels", extras, target)
    copy_models(models, root / "models")
    copy_examples(root / "examples")
    shutil.copy2(SOURCE / "deploy" / "install.sh", root / "install.sh")
    (root / "EXTRAS").write_text(f"{extras}\n")
    (root / "VERSION").write_text(f"{__version__}\n")
    (root / SUMS).write_text(checksums(root))


def copy_models(models: Path, folder: Path) -> None:
    """Verify the model files and copy them to a new folder.

    Raises:
        ModelError: a model file is missing or different.
    """
    _, items = inspect(models)
    require(models, items)
    folder.mkdir(parents=True)
    for item in items:
        for file in (item.spec.file, item.spec.variant):
            if file and (models / file).is_file():
                shutil.copy2(models / file, folder / file)


def copy_examples(folder: Path) -> None:
    """Copy the dashboard, the alert rules and the configurations of proxies to a new folder."""
    for name in EXAMPLES:
        shutil.copytree(SOURCE / "deploy" / name, folder / name)


def collect_wheels(
    wheels: Path, extras: str, target: Sequence[str] = (), python: str = sys.executable
) -> None:
    """Build the project's wheel and fetch those that it needs, in the versions of the lock file.

    The version of ``python`` decides which are needed. ``target`` has pip's options for a target
    other than this machine.

    Raises:
        ResourceError: pip cannot get a wheel.
    """
    wheels.mkdir(parents=True)
    run_pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(SOURCE))
    (own,) = wheels.glob("open_lunapass-*.whl")
    constraint = ["--constraint", str(SOURCE / "requirements.lock")]
    wanted = [f"{own}[{extras}]" if extras else str(own), "pip", *OLDER_PYTHONS]
    run_pip("download", "--dest", str(wheels), *constraint, *target, *wanted, python=python)


def run_pip(command: str, *arguments: str, python: str = sys.executable) -> None:
    """Run a command of pip for a Python.

    Raises:
        ResourceError: it fails.
    """
    options = ["--quiet", "--disable-pip-version-check", "--python", python]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *options, command, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ResourceError(f"pip {command}: {done.stderr.strip()[-2000:]}")


def checksums(root: Path) -> str:
    """Return the lines for ``sha256sum --check``."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != SUMS)
    digests = ((hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in files)
    return "".join(f"{digest}  {path.relative_to(root)}\n" for digest, path in digests)


def pack(root: Path, output: Path) -> Path:
    """Pack a folder reproducibly: without owners, times and the effect of the umask."""
    output.mkdir(parents=True, exist_ok=True)
    archive = output / f"{root.name}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, root.name, filter=_anonymous)
    return archive


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    main()
