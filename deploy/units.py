"""Renders the systemd units: the templates beside this module, and drop-ins for the machine.

In the units only the paths of program and configuration are replaced. What depends on the machine
(CPUs, cells, ports) is in drop-ins named ``10-lunapass.conf`` and, for a worker,
``20-lunapass-cell.conf``, so administrators can override everything with drop-ins of their own.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from shared.config.cells import share
from shared.errors import ConfigError, os_errors

PROGRAM = "/opt/lunapass/current/venv/bin/lunapass"
CONFIG = "/etc/lunapass/lunapassapi.config.toml"
VIDEO_CONFIG = "/etc/lunapass/lunapassvideo.config.toml"
PACKAGED = Path("/usr/lib/systemd/system")
"""Folder of the units of Debian packages."""
DROP_IN = "10-lunapass.conf"
CELL_DROP_IN = "20-lunapass-cell.conf"
"""For one worker. It needs its own name, or it would hide the drop-in for all workers."""
SUFFIXES = (".service", ".socket", ".target")
BACK_OFF_SINCE = 254
"""First version of systemd that supports growing pauses before restarts."""
BACK_OFF = "RestartSteps=6\nRestartMaxDelaySec=10s"
MAKES_CODE = "MemoryDenyWriteExecute=no"


@dataclass(frozen=True)
class Layout:
    """What the units of a machine depend on.

    Attributes:
        cpus: the CPUs of the workers, in order.
        port: port that all cells share.
        cell_port: own port of cell 0, incremented for each further cell; 0 for none.
        program: path of the command ``lunapass``.
        makes_code: workers may execute memory that they have written.
    """

    cpus: Sequence[int]
    cells: int = 1
    host: str = "0.0.0.0"  # noqa: S104  as in the configuration
    port: int = 8321
    cell_port: int = 0
    program: str = PROGRAM
    config: str = CONFIG
    video_config: str = VIDEO_CONFIG
    systemd: int = 0
    makes_code: bool = False


def worker_cpus(wanted: int | None, cpus: Sequence[int], usable: Sequence[int]) -> Sequence[int]:
    """Choose a CPU for each worker: of the configured ones, or else of the last usable ones.

    Raises:
        ConfigError: there are fewer CPUs than workers, or the machine lacks one.
    """
    chosen = list(cpus) or sorted(usable, reverse=True)
    lacking = sorted(set(chosen) - set(usable))
    if lacking:
        raise ConfigError(f"[WORKERS] cpus: this machine has no CPU {lacking[0]}; correct it")
    count = len(chosen) if wanted is None else wanted
    if not 1 <= count <= len(chosen):
        raise ConfigError(
            f"workers: found {count}; allowed: 1 to {len(chosen)}, one unit per CPU; correct "
            "--workers or [WORKERS] count"
        )
    return chosen[:count]


def render(layout: Layout) -> dict[str, str]:
    """Return the files of the unit directory: texts by relative path."""
    files = templates(layout)
    files.update({f"{unit}.d/{DROP_IN}": text for unit, text in _drop_ins(layout)})
    files.update({f"{unit}.d/{CELL_DROP_IN}": text for unit, text in _cells(layout)})
    return files


def templates(layout: Layout) -> dict[str, str]:
    """Return the units, which are the same on all machines: texts by name."""
    folder = resources.files("deploy").joinpath("systemd")
    return {
        file.name: _with_paths(file.read_text(), layout)
        for file in folder.iterdir()
        if file.name.endswith(SUFFIXES)
    }


def without_packaged(files: Mapping[str, str], folder: Path = PACKAGED) -> dict[str, str]:
    """Leave out the units that the Debian package has installed.

    A copy in /etc/systemd/system would hide those of the package's next version.
    """
    return {
        name: text
        for name, text in files.items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    }


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write the files; remove drop-ins of an earlier layout.

    Raises:
        ResourceError: the directory cannot be written.
    """
    with os_errors(f"unit directory {directory}", "run this as root, or set --directory"):
        for name in (DROP_IN, CELL_DROP_IN):
            for old in directory.glob(f"lunapass*.d/{name}"):
                old.unlink()
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def systemd_version() -> int:
    """Return the version of the installed systemd; 0 if there is none."""
    program = shutil.which("systemctl")
    if program is None:
        return 0
    run = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"systemd (\d+)", run.stdout)
    return int(found[1]) if found else 0


def _with_paths(text: str, layout: Layout) -> str:
    text = text.replace(PROGRAM, layout.program).replace(CONFIG, _escape(layout.config))
    return text.replace(VIDEO_CONFIG, _escape(layout.video_config))


def _escape(path: str) -> str:
    """Escape a path as one argument of a unit's command line."""
    for special in ("\\", '"'):
        path = path.replace(special, f"\\{special}")
    for special in ("%", "$"):
        path = path.replace(special, 2 * special)
    return f'"{path}"' if re.search(r"[^\w/.@%$+-]", path) else path


def _drop_ins(layout: Layout) -> Iterator[tuple[str, str]]:
    roles = [f"lunapass-{role}@{cell}" for cell in range(layout.cells) for role in _CELL_ROLES]
    sockets = [f"lunapass-gateway@{cell}.socket" for cell in range(layout.cells)]
    workers = [f"lunapass-worker@{cpu}" for cpu in layout.cpus]
    wanted = [*sockets, *(f"{name}.service" for name in (*roles, *workers))]
    yield "lunapass.target", "[Unit]\n" + "".join(f"Wants={name}\n" for name in wanted)
    yield (
        "lunapass-config.service",
        "[Service]\n"
        f"Environment=LUNAPASS__TRANSPORT__CELLS={layout.cells}\n"
        f"Environment=LUNAPASS__WORKERS__COUNT={len(layout.cpus)}\n",
    )
    common = f"[Service]\n{BACK_OFF}\n" if layout.systemd >= BACK_OFF_SINCE else "[Service]\n"
    for role in _CELL_ROLES:
        yield f"lunapass-{role}@.service", common
    yield "lunapass-worker@.service", common + (f"{MAKES_CODE}\n" if layout.makes_code else "")
    if layout.makes_code:
        yield "lunapassapi.service", f"[Service]\n{MAKES_CODE}\n"
    yield "lunapassapi.socket", _socket(replace(layout, cells=1, cell_port=0), 0)
    for cell in range(layout.cells):
        yield f"lunapass-gateway@{cell}.socket", _socket(layout, cell)


def _cells(layout: Layout) -> Iterator[tuple[str, str]]:
    for cell in range(layout.cells):
        for number in share(len(layout.cpus), layout.cells, cell):
            yield f"lunapass-worker@{layout.cpus[number]}.service", _worker(cell)


_CELL_ROLES = ("aggregator", "gateway")


def _socket(layout: Layout, cell: int) -> str:
    host = f"[{layout.host}]" if ":" in layout.host else layout.host
    text = f"[Socket]\nListenStream=\nListenStream={host}:{layout.port}\n"
    if layout.host == "::":  # both families, independent of net.ipv6.bindv6only
        text += "BindIPv6Only=both\n"
    if layout.cells > 1:
        text += "ReusePort=yes\n"
    if layout.cell_port:
        text += f"ListenStream={host}:{layout.cell_port + cell}\n"
    return text


def _worker(cell: int) -> str:
    return (
        f"[Unit]\nBefore=lunapass-gateway@{cell}.service\n"
        f"[Service]\nEnvironment=LUNAPASS_CELL={cell}\n"
    )
