"""Keys for roles that communicate over TCP."""

from __future__ import annotations

import tomllib
from pathlib import Path

from shared.config.service import TransportKeysSection
from shared.wire.curve import write_keys


def new_keys(directory: Path) -> TransportKeysSection:
    """Generate keys for all roles, with their files in the folder."""
    table = tomllib.loads(write_keys(directory))["TRANSPORT"]["KEYS"]
    return TransportKeysSection.model_validate(table)
