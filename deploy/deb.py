"""Builds a Debian package: the program with its models, units, configuration, maintainer scripts.

``python -m deploy.deb`` (``make deb``) writes ``open-lunapass_VERSION_ARCHITECTURE.deb``. The
package fits the Python of the machine that builds it, ``/usr/bin/python3``. The maintainer scripts
are in ``deploy/debian``.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path

import click

from deploy import units
from deploy.wheelhouse import SOURCE, collect_wheels, copy_examples, copy_models, run_pip
from shared import __version__
from shared.errors import ResourceError, StartupError

PACKAGE = "open-lunapass"
PYTHON = "/usr/bin/python3"
PREFIX = Path("usr/lib/lunapass")
PROGRAM = PREFIX / "venv/bin/lunapass"
CONFIG = "etc/lunapass/lunapassapi.config.toml"
SIGNING_KEY = "file:/etc/lunapass/signing.key"
"""Made by the package's postinst, so that the configuration is the same on all machines."""
EXTRAS = "video"
COMPRESSION = ("-Zxz", "-z1")
"""Higher levels take minutes for 500 MB and save little."""
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
DOCUMENTS = f"usr/share/doc/{PACKAGE}"


@click.command(help="Build the Debian package.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build"))
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"))
@click.option("--extras", default=EXTRAS, show_default=True, help="Extras to install.")
@click.option("--revision", default="1", show_default=True, help="Debian revision.")
def main(output: Path, models: Path, extras: str, revision: str) -> None:
    """Stage and pack the files."""
    try:
        with tempfile.TemporaryDirectory(prefix="lunapass-deb-") as folder:
            root = Path(folder) / "root"
            add_program(root, extras, Path(folder) / "wheels")
            copy_models(models, root / PREFIX / "models")
            add_files(root, default_config())
            package = pack(root, f"{__version__}-{revision}", output)
    except StartupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{package}: {package.stat().st_size / 1e6:.0f} MB")


def add_program(root: Path, extras: str, wheels: Path) -> None:
    """Install the wheels into a virtual environment.

    Its files are written here, not by ``python -m venv``, because it is not at its final path yet.

    Raises:
        ResourceError: pip cannot get or install a wheel.
    """
    collect_wheels(wheels, extras, python=PYTHON)
    version = _python_version()
    venv = root / PREFIX / "venv"
    packages = venv / "lib" / f"python{version}" / "site-packages"
    wanted = f"{PACKAGE}[{extras}]" if extras else PACKAGE
    local = ["--no-index", "--find-links", str(wheels)]
    target = ["--no-compile", "--target", str(packages)]
    run_pip("install", *local, *target, wanted, python=PYTHON)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # programs with the path of this Python
    _compile(packages, root)
    (venv / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    )
    (venv / "bin").mkdir()
    (venv / "bin/python").symlink_to(f"../../../../bin/python{version}")
    (root / PROGRAM).write_text(
        f"#!/{PREFIX}/venv/bin/python\nfrom lunapass.cli import main\n\nmain()\n"
    )


def _compile(packages: Path, root: Path) -> None:
    """Compile the packages as at their final path, because the services cannot write there.

    Python need not compare the files: dpkg replaces source and code together.
    """
    _run(
        *(PYTHON, "-m", "compileall", "-q", "-s", str(root), "-p", "/"),
        *("--invalidation-mode", "unchecked-hash", str(packages)),
    )


def default_config() -> str:
    """Return the service's configuration file, with the key in a separate file.

    Raises:
        ResourceError: the file has other lines than this function replaces.
    """
    text = (SOURCE / "config/lunapassapi.config.toml").read_text()
    for line, replacement in (
        ('key = "secret"', f'key = "{SIGNING_KEY}"'),
        ('directory = "models"', f'directory = "/{PREFIX}/models"'),
    ):
        if text.count(f"\n{line}\n") != 1:
            raise ResourceError(
                f"config/lunapassapi.config.toml: expected the line {line} exactly once"
            )
        text = text.replace(f"\n{line}\n", f"\n{replacement}\n")
    return text


def add_files(root: Path, config: str) -> None:
    """Add everything but program and models: command, units, user, configuration, examples."""
    layout = units.Layout(cpus=[], program=f"/{PROGRAM}")
    texts = {
        f"usr/lib/systemd/system/{name}": text for name, text in units.templates(layout).items()
    }
    texts["usr/lib/sysusers.d/lunapass.conf"] = _text("systemd/lunapass.sysusers")
    texts[f"{DOCUMENTS}/copyright"] = _text("debian/copyright")
    texts[CONFIG] = config
    for name in ("lunapassvideo.config.toml", "lunapassvideo.task.py"):
        texts[f"etc/lunapass/{name}"] = (SOURCE / "config" / name).read_text()
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    copy_examples(root / DOCUMENTS / "examples")
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/lunapass").symlink_to(Path("..") / PROGRAM.relative_to("usr"))


def pack(root: Path, version: str, output: Path, compression: Sequence[str] = COMPRESSION) -> Path:
    """Add changelogs and control files, and build the package; the version has Debian's revision.

    Raises:
        ResourceError: there is no dpkg-deb, or it fails.
    """
    architecture = _run("dpkg", "--print-architecture").strip()
    _add_changelogs(root / DOCUMENTS, version)
    _set_modes(root)
    _add_control(root, version, architecture)
    output.mkdir(parents=True, exist_ok=True)
    package = output / f"{PACKAGE}_{version}_{architecture}.deb"
    _run("dpkg-deb", "--root-owner-group", *compression, "--build", str(root), str(package))
    return package


def _add_changelogs(folder: Path, version: str) -> None:
    """Write the project's changelog and that of the package, which Debian's policy asks for."""
    entry = (
        f"{PACKAGE} ({version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n"
        f" -- {_maintainer()}  {formatdate()}\n"
    )
    texts = {"changelog.gz": (SOURCE / "CHANGELOG.md").read_text(), "changelog.Debian.gz": entry}
    for name, text in texts.items():
        (folder / name).write_bytes(gzip.compress(text.encode(), mtime=0))


def _set_modes(root: Path) -> None:
    """Make everything readable, whatever the umask, but the configuration, which has secrets."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == root / PROGRAM else 0o644)
    (root / CONFIG).chmod(0o600)


def _add_control(root: Path, version: str, architecture: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    control = root / "DEBIAN"
    control.mkdir()
    fields = {
        "version": version,
        "architecture": architecture,
        "maintainer": _maintainer(),
        "python": f"python{_python_version()}",
        "size": sum(path.stat().st_size for path in files) // 1024,
    }
    (control / "control").write_text(_text("debian/control").format(**fields))
    sums = ((_md5(path), path.relative_to(root)) for path in files)
    (control / "md5sums").write_text("".join(f"{digest}  {name}\n" for digest, name in sums))
    settings = (path.relative_to(root) for path in files if path.is_relative_to(root / "etc"))
    (control / "conffiles").write_text("".join(f"/{name}\n" for name in settings))
    for name in SCRIPTS:
        (control / name).write_text(_text(f"debian/{name}"))
        (control / name).chmod(0o755)
    control.chmod(0o755)


def _maintainer() -> str:
    """Return who builds the package, from the variables of Debian's own tools."""
    name = os.environ.get("DEBFULLNAME", "Local build")
    return f"{name} <{os.environ.get('DEBEMAIL', 'root@localhost')}>"


def _python_version() -> str:
    """Return the version of the system's Python, such as 3.11."""
    return _run(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _text(name: str) -> str:
    return (SOURCE / "deploy" / name).read_text()


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise ResourceError(f"{command[0]} is not installed; build on Debian or Ubuntu") from error
    except subprocess.CalledProcessError as error:
        raise ResourceError(f"{command[0]}: {error.stderr.strip()[-2000:]}") from error
    return done.stdout


if __name__ == "__main__":
    main()
