"""Where an installed service has its files: what the units set beside the configuration."""

import os
from collections.abc import Mapping
from pathlib import Path

from shared.config.loading import SERVICE

CONFIG_FOLDER = Path("/etc/lunapass")
WORKING_DIRECTORY = Path("/var/lib/lunapass")
RUNTIME_DIRECTORY = Path("/run/lunapass")
RUNTIME_VARIABLE = "LUNAPASS__TRANSPORT__RUNTIMEDIRECTORY"


def is_installed(config_path: Path | None) -> bool:
    """Whether the configuration in use is the one that the units read."""
    file = config_path or SERVICE.usual_path()
    return file is not None and file.absolute().parent == CONFIG_FOLDER


def working_directory(config_path: Path | None) -> Path:
    """Return the folder to which the configuration's paths are relative, as an absolute path."""
    return WORKING_DIRECTORY if is_installed(config_path) else Path.cwd()


def unit_environment(config_path: Path | None, runtime: Path | None) -> Mapping[str, str]:
    """Return this process's environment with the runtime directory of the units, or another one."""
    if runtime is not None:
        return {**os.environ, RUNTIME_VARIABLE: str(runtime.absolute())}
    if is_installed(config_path):
        return {RUNTIME_VARIABLE: str(RUNTIME_DIRECTORY), **os.environ}
    return os.environ
