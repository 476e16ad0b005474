"""Each role's part of the configuration as a file, for the units of systemd.

The folder may be entered by its owner alone, root. Each role's unit sees one folder in it under
another path, in which every user may read: the unit's user cannot reach the others.

    whole/lunapassapi.config.toml    the generation in force, with key files read and keys made
    gateway/part.json                what the gateway may know of it; worker, aggregator likewise
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shared.config.loading import load
from shared.config.parts import Generation, pack, with_files_read, with_transport_keys
from shared.config.service import Config
from shared.config.source import ConfigSource, reloaded, warn_of_restart
from shared.config.toml import dump
from shared.errors import ConfigError, ResourceError
from shared.process.files import write_atomically
from shared.process.private import private_directory
from shared.wire.lines import ROLES

PART = "part.json"
WHOLE = "whole/lunapassapi.config.toml"


def write_parts(directory: Path, file: Path | None, *, again: bool) -> tuple[Config, list[str]]:
    """Read the configuration, and write the parts; where it is faulty, all stay as they are.

    Args:
        directory: where to write them.
        file: the configuration; None for the usual place.
        again: keep from the generation in force what needs a restart.

    Returns:
        The configuration in force from now on, and warnings for the operator.

    Raises:
        StartupError: the configuration is faulty, or the folder cannot be written.
    """
    source = ConfigSource(file)
    private_directory(directory, "DIRECTORY")
    running = _in_force(directory / WHOLE, again=again)
    config = with_transport_keys(with_files_read(source.config), running)
    if again and running is not None:
        warn_of_restart(running, config)
        config = reloaded(running, config)
    generation = Generation(config)
    files = {f"{role}/{PART}": pack(generation.part(role)) for role in ROLES}
    files[WHOLE] = dump(config, reveal=True, comments=False).encode()
    for name, content in files.items():
        _replace(directory / name, content)
    return config, [*source.warnings, *_exposed(file, source.config)]


def _in_force(whole: Path, *, again: bool) -> Config | None:
    """Read the generation in force, with which roles may be running; None where there is none.

    Raises:
        ConfigError: it is to be kept, but this version cannot read it.
    """
    if not whole.exists():
        return None
    try:
        return load(whole, environment={})
    except ConfigError:
        if again:
            raise
        return None  # left by another version: none of its roles can start with a part of this one


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is whole at every moment; a role may read it just now."""
    try:
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o755)  # whatever the umask
        write_atomically(path, content, mode=0o644)
    except OSError as error:
        raise ResourceError(
            f"{path}: {error.strerror}; give a directory that is writable"
        ) from error


def _exposed(file: Path | None, config: Config) -> list[str]:
    """Files with secrets that not root alone may read, where root writes the parts for others."""
    if os.geteuid() != 0:
        return []
    keys = config.TRANSPORT.KEYS
    secrets = [config.LUNA_PASS.JWT.key, *(getattr(keys, f"{role}Secret") for role in ROLES)]
    texts = [secret.get_secret_value() for secret in secrets]
    paths = [file] if file else []
    paths += [Path(text.removeprefix("file:")) for text in texts if text.startswith("file:")]
    return [
        f"{path} may be read by others than root, so a role that is taken over could read it; "
        f"chown root:root {path} && chmod 0600 {path}"
        for path in paths
        if _is_exposed(path.stat())
    ]


def _is_exposed(found: os.stat_result) -> bool:
    others = stat.S_IRWXO | (stat.S_IRWXG if found.st_gid != 0 else 0)
    return found.st_uid != 0 or bool(found.st_mode & others)
