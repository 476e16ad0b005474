"""The configuration of a role that is started by hand with ``--config``."""

from pathlib import Path

from shared.config.generation import Generation
from shared.config.parts import Part
from shared.config.source import ConfigSource


class WholeFile:
    """The whole configuration file, read by the role itself.

    Args:
        path: the file; None for the default.
        cell: number of the role's cell on this machine; None for the configured one.
        cells: cells of this machine; None for the configured number.

    Raises:
        ConfigError: the configuration or a key file of the role is invalid.
    """

    def __init__(
        self, role: str, path: Path | None, cell: int | None = None, cells: int | None = None
    ) -> None:
        self._role = role
        self._cell = cell
        self._source = ConfigSource(path, cells, (role,))
        self._running = self._source.config
        self.part = self._cut()

    def reload(self) -> Part | None:
        """Read the file again."""
        fresh = self._source.reload(self._running)
        if fresh is None:
            return None
        self._running = fresh
        return self._cut()

    def _cut(self) -> Part:
        return Generation(self._running).part(self._role, self._cell)
