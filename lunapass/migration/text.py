"""Decoding files that Windows editors saved."""

import codecs
from pathlib import Path

from shared.errors import ConfigError
from shared.text_files import read_bytes

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
    data = read_bytes(path, str(path))
    text, encoding = _decoded(data, path)
    if "\0" in text:
        raise ConfigError(f"{path}: is not a text file; give a configuration file")
    return "\n".join(text.splitlines()), encoding


def _decoded(data: bytes, path: Path) -> tuple[str, str | None]:
    encodings = ("utf-16",) if data.startswith(_UTF16) else ("utf-8-sig", _LEGACY)
    for encoding in encodings:
        try:
            return data.decode(encoding), None if encoding == "utf-8-sig" else encoding
        except UnicodeDecodeError:
            continue  # the next encoding may fit
    raise ConfigError(f"{path}: is neither UTF-8, UTF-16 nor {_LEGACY}; save it as UTF-8")
