"""A configuration file that can be reloaded while the service runs."""

import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from shared.config.base import Section
from shared.config.cells import with_cells
from shared.config.key_files import ResolvedConfig, resolve_key_files, secret_files
from shared.config.loading import load
from shared.config.middlewares import MiddlewaresSection
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError
from shared.wire.lines import ROLES

log = logging.getLogger(__name__)

RELOADABLE = ("LIVENESS", "CHECKS", "MIDDLEWARES", "METRICS")
"""Sections that a reload applies; every other one needs a restart."""
EFFECTS = frozenset({"Audit", "FileLogger", "VideoRedis", "Callbacks"})
"""Side-effect plugins, which write after the answer. Their files and connections are opened once,
so their changes need a restart too."""


class ConfigSource:
    """A configuration file and the configuration that was first loaded from it.

    Args:
        path: the file; None for the default.
        cells: cells of this machine; None for the configured number.
        roles: the roles that get a part; only their key files are read.

    Attributes:
        config: the configuration at the start.
        warnings: warnings about it, one line each.
        secret_files: files with secrets that it names.

    Raises:
        ConfigError: the configuration or a key file is invalid.
    """

    def __init__(
        self, path: Path | None, cells: int | None = None, roles: Collection[str] = ROLES
    ) -> None:
        self._path = path
        self._cells = cells
        self._roles = roles
        config = self._load()
        self.warnings = check(config)
        self.secret_files = secret_files(config)
        self.config = resolve_key_files(config, roles)

    def _load(self) -> Config:
        return with_cells(load(self._path), self._cells)

    def reload(self, running: ResolvedConfig) -> ResolvedConfig | None:
        """Read the file again; return the running configuration with its ``RELOADABLE`` sections.

        None if the file or a key file is invalid, which is logged.
        """
        try:
            config = self._load()
            check(config)
            fresh = resolve_key_files(config, self._roles)
            merged = reloaded(running, fresh, self._roles)
        except ConfigError as error:
            log.error("configuration not reloaded: %s", error)
            return None
        warn_of_restart(self.config, fresh)
        return merged


def reloaded(
    running: ResolvedConfig, fresh: ResolvedConfig, roles: Collection[str] = ROLES
) -> ResolvedConfig:
    """Return the running configuration with what a reload may change.

    Raises:
        ConfigError: a new section violates a rule together with a section that needs a restart.
    """
    sections = {name: getattr(fresh, name) for name in RELOADABLE}
    sections["MIDDLEWARES"] = _with_running_effects(fresh, running)
    merged = running.model_copy(update=sections)
    check(merged)
    return resolve_key_files(merged, roles)  # the running signing key may be the new start key


def warn_of_restart(old: Config, new: Config) -> None:
    """Log the changed sections that a reload does not apply."""
    names = [name for name in Config.model_fields if name not in RELOADABLE]
    plugins = _changed(sorted(EFFECTS), old.MIDDLEWARES.WS, new.MIDDLEWARES.WS)
    if pending := [*_changed(names, old, new), *plugins]:
        log.warning("changed sections that need a restart: %s", ", ".join(pending))


def _changed(names: Iterable[str], old: Section, new: Section) -> list[str]:
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _with_running_effects(fresh: Config, running: Config) -> MiddlewaresSection:
    """Return the new plugins, with the side-effect plugins of the running configuration."""
    unchanged = {name: getattr(running.MIDDLEWARES.WS, name) for name in EFFECTS}
    plugins = fresh.MIDDLEWARES.WS.model_copy(update=unchanged)
    return fresh.MIDDLEWARES.model_copy(update={"WS": plugins})
