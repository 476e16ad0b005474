"""Each role's part of the configuration as a file, for systemd units.

Only root, the owner, may enter the folder. Each role's unit sees its subfolder under another path,
where every user may read: so the unit's user cannot reach the other subfolders.

    whole/lunapassapi.config.toml    the current generation, with the contents of key files and
                                     generated transport keys
    gateway/part.json                the gateway's part; worker and aggregator likewise
"""

import os
import stat
from pathlib import Path

from shared.config.generation import Generation, with_transport_keys
from shared.config.key_files import ResolvedConfig
from shared.config.loading import load
from shared.config.parts import pack
from shared.config.service import Config
from shared.config.source import ConfigSource, reloaded, warn_of_restart
from shared.config.toml import dump
from shared.errors import ConfigError, os_errors
from shared.process.files import write_atomically
from shared.process.private import private_directory
from shared.wire.lines import ROLES

PART = "part.json"
WHOLE = "whole/lunapassapi.config.toml"


def write_parts(directory: Path, file: Path | None, *, is_reload: bool) -> tuple[Config, list[str]]:
    """Read the configuration and write the parts; an invalid configuration changes nothing.

    Without a file, the configuration is at the usual place. A reload retains the current values of
    keys that need a restart.

    Returns:
        The new current configuration, and warnings for the operator.

    Raises:
        StartupError: the configuration is invalid, or the folder cannot be written.
    """
    source = ConfigSource(file)
    private_directory(directory, "DIRECTORY")
    running = _current(directory / WHOLE, is_reload=is_reload)
    config = with_transport_keys(source.config, running)
    if is_reload and running is not None:
        warn_of_restart(running, config)
        config = reloaded(running, config)
    generation = Generation(config)
    files = {f"{role}/{PART}": pack(generation.part(role)) for role in ROLES}
    files[WHOLE] = dump(config, reveal=True, comments=False).encode()
    for name, content in files.items():
        _replace(directory / name, content)
    return config, [*source.warnings, *_exposed(file, source.secret_files)]


def _current(whole: Path, *, is_reload: bool) -> ResolvedConfig | None:
    """Read the current generation, which running roles may use; None if there is none.

    Raises:
        ConfigError: this version cannot read it, although a reload must retain values.
    """
    if not whole.exists():
        return None
    try:
        return ResolvedConfig(load(whole, environment={}))  # as ``write_parts`` wrote it
    except ConfigError:
        if is_reload:
            raise
        return None  # of another version, whose roles cannot use this version's parts anyway


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically, because a role may be reading it."""
    with os_errors(path, "choose a directory that is writable"):
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o755)  # independent of the umask
        write_atomically(path, content, mode=0o644)


def _exposed(file: Path | None, secrets: list[Path]) -> list[str]:
    """Return a warning for each file with secrets that other users than root can read.

    Only root's parts are for other users, so there are no warnings unless root runs this.
    """
    if os.geteuid() != 0:
        return []
    return [
        f"{path} can be read by other users than root, so a compromised role could read it; run: "
        f"chown root:root {path} && chmod 0600 {path}"
        for path in (file, *secrets)
        if path is not None and _is_exposed(path.stat())
    ]


def _is_exposed(found: os.stat_result) -> bool:
    others = stat.S_IRWXO | (stat.S_IRWXG if found.st_gid != 0 else 0)
    return found.st_uid != 0 or bool(found.st_mode & others)
