"""Decoding files that Windows editors saved."""

from __future__ import annotations

import codecs
from pathlib import Path

from shared.errors import ConfigError

MAX_BYTES = 1_000_000
"""A configuration has some kilobytes."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LEGACY = "cp1251"
"""The Windows encoding of the original's home market; it decodes every Latin text, too."""


def read_original(path: Path) -> tuple[str, str | None]:
    """Read a configuration file in whichever encoding it has.

    Returns:
        Its text, and the encoding if that is not UTF-8.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; give a readable file"
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes; give a configuration file")
    text, encoding = _decoded(data, path)
    if "\0" in text:
        raise ConfigError(f"{path}: is not a text file; give a configuration file")
    return "\n".join(text.splitlines()), encoding


def _decoded(data: bytes, path: Path) -> tuple[str, str | None]:
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16"), "UTF-16"
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(_LEGACY), _LEGACY
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is neither UTF-8, UTF-16 nor {_LEGACY}; save it as UTF-8"
        ) from error
