"""A configuration file that is read again while the service runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from shared.config.base import Section
from shared.config.cells import of_cell
from shared.config.loading import load
from shared.config.plugins import MiddlewaresSection
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError

log = logging.getLogger(__name__)

TAKEN = ("LIVENESS", "CHECKS", "MIDDLEWARES")
"""Sections that a reload takes over; every other one needs a restart."""
EFFECTS = frozenset({"FileLogger", "VideoRedis", "Callbacks"})
"""Plugins without a say, which write after the answer. Their files and connections are opened once,
so a change of them needs a restart too."""


class ConfigSource:
    """A configuration file together with what was first read from it.

    Args:
        path: the file; None for the usual place.
        cells: cells of this machine, when another number than the configured one.

    Attributes:
        config: what was first read.
        warnings: lines about it for the operator.

    Raises:
        ConfigError: the configuration does not allow a start.
    """

    def __init__(self, path: Path | None, cells: int | None = None) -> None:
        self._path = path
        self._cells = cells
        self.config, self.warnings = self._read()

    def _read(self) -> tuple[Config, list[str]]:
        config = of_cell(load(self._path), None, self._cells)
        return config, check(config)

    def again(self, running: Config) -> Config | None:
        """Read the file again.

        Args:
            running: what the service works with.

        Returns:
            That with the sections of ``TAKEN`` renewed; None where the file is faulty, which is
            logged and changes nothing.
        """
        try:
            fresh, _ = self._read()
        except ConfigError as error:
            log.error("configuration not reloaded: %s", error)
            return None
        warn_of_waiting(self.config, fresh)
        return renewed(running, fresh)


def renewed(running: Config, fresh: Config) -> Config:
    """Take over what a reload may change.

    Args:
        running: what the service works with.
        fresh: what was read now.
    """
    taken = {name: getattr(fresh, name) for name in TAKEN}
    taken["MIDDLEWARES"] = _without_writers(fresh, running)
    return running.model_copy(update=taken)


def warn_of_waiting(old: Config, new: Config) -> None:
    """Log which changed sections a reload does not take over."""
    names = [name for name in Config.model_fields if name not in TAKEN]
    plugins = _changed(sorted(EFFECTS), old.MIDDLEWARES.WS, new.MIDDLEWARES.WS)
    if waiting := [*_changed(names, old, new), *plugins]:
        log.warning("changed sections that need a restart: %s", ", ".join(waiting))


def _changed(names: Iterable[str], old: Section, new: Section) -> list[str]:
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _without_writers(fresh: Config, running: Config) -> MiddlewaresSection:
    """The new plugins with those that need a restart as they are."""
    kept = {name: getattr(running.MIDDLEWARES.WS, name) for name in EFFECTS}
    plugins = fresh.MIDDLEWARES.WS.model_copy(update=kept)
    return fresh.MIDDLEWARES.model_copy(update={"WS": plugins})
