"""Where a running role has its configuration from, to read it again on SIGHUP."""

from __future__ import annotations

import logging
from pathlib import Path

from shared.config import Config
from shared.config_loading import load
from shared.config_rules import check
from shared.errors import ConfigError

log = logging.getLogger(__name__)

TAKEN = ("LIVENESS", "CHECKS", "MIDDLEWARES")
"""Sections that a reload takes over; every other one needs a restart."""


class ConfigSource:
    """A configuration file together with what was last read from it.

    Args:
        path: the file; None for the usual place.

    Raises:
        ConfigError: the configuration does not allow a start.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.config = self._read()

    def _read(self) -> Config:
        config = load(self._path)
        check(config)
        return config

    def again(self, running: Config) -> Config | None:
        """Read the file again.

        Args:
            running: what the role works with.

        Returns:
            That with the sections of ``TAKEN`` renewed; None where the file is faulty, which is
            logged and changes nothing.
        """
        try:
            fresh = self._read()
        except ConfigError as error:
            log.error("configuration not reloaded: %s", error)
            return None
        waiting = [
            name
            for name in Config.model_fields
            if name not in TAKEN and getattr(fresh, name) != getattr(self.config, name)
        ]
        if waiting:
            log.warning("changed sections that need a restart: %s", ", ".join(waiting))
        log.info("configuration reloaded")
        return running.model_copy(update={name: getattr(fresh, name) for name in TAKEN})
