"""A configuration file that can be reloaded while the service runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from shared.config.base import Section
from shared.config.cells import of_cell
from shared.config.loading import load
from shared.config.middlewares import MiddlewaresSection
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError

log = logging.getLogger(__name__)

RELOADABLE = ("LIVENESS", "CHECKS", "MIDDLEWARES")
"""Sections that a reload applies; every other one needs a restart."""
EFFECTS = frozenset({"FileLogger", "VideoRedis", "Callbacks"})
"""Side-effect plugins, which write after the answer. Their files and connections are opened once,
so their changes need a restart too."""


class ConfigSource:
    """A configuration file and the configuration that was first loaded from it.

    Args:
        path: the file; None for the default.
        cells: cells of this machine; None for the configured number.

    Attributes:
        config: the configuration at the start.
        warnings: warnings about it, one line each.

    Raises:
        ConfigError: the configuration is invalid.
    """

    def __init__(self, path: Path | None, cells: int | None = None) -> None:
        self._path = path
        self._cells = cells
        self.config, self.warnings = self._read()

    def _read(self) -> tuple[Config, list[str]]:
        config = of_cell(load(self._path), None, self._cells)
        return config, check(config)

    def reload(self, running: Config) -> Config | None:
        """Read the file again.

        Args:
            running: the running configuration.

        Returns:
            The running configuration with the new sections of ``RELOADABLE``; None if the file is
            invalid, which is logged.
        """
        try:
            fresh, _ = self._read()
        except ConfigError as error:
            log.error("configuration not reloaded: %s", error)
            return None
        warn_of_restart(self.config, fresh)
        return reloaded(running, fresh)


def reloaded(running: Config, fresh: Config) -> Config:
    """Return the running configuration with what a reload may change.

    Args:
        running: the running configuration.
        fresh: the configuration in the file.
    """
    sections = {name: getattr(fresh, name) for name in RELOADABLE}
    sections["MIDDLEWARES"] = _with_running_effects(fresh, running)
    return running.model_copy(update=sections)


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
