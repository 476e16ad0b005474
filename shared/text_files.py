"""Reads text files that operators write.

All are UTF-8. A byte order mark, which Windows editors write, is removed: it would become the first
character of a secret. Other encodings and bytes that are not text are refused with an error that
names them, since they are invisible in an editor.
"""

import codecs
from pathlib import Path

from shared.errors import ConfigError, StartupError

FILE_PREFIX = "file:"
MAX_BYTES = 64 * 1024 * 1024
"""Largest file. The largest in use is the table of a labelled set; /dev/zero has no end."""
BYTE_ORDER_MARK = "\ufeff"
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks of other encodings. UTF-32 is first: its mark starts with that of UTF-16."""


def named_file(text: str) -> Path | None:
    """Return the path in a value ``file:PATH`` of the configuration; None for any other text."""
    return Path(text.removeprefix(FILE_PREFIX)) if text.startswith(FILE_PREFIX) else None


def value_or_file(text: str, place: str, *, advice: str = "") -> str:
    """Return a value of the configuration, or the text of the file that it names as ``file:PATH``.

    Errors name the ``place``, section and key, and say what to do about a file that is not text:
    ``advice``, by default to save it as UTF-8.

    Raises:
        ConfigError: the file cannot be read, or names another file.
    """
    path = named_file(text)
    if path is None:
        return text
    content = read_text(path, place, advice=advice).strip()
    if named_file(content) is not None:
        raise ConfigError(f"{place}: file {path} names another file; give the path of that one")
    return content


def require_no_path(text: str, place: str) -> str:
    """Return a key; refuse a path that was not read, which anyone could guess.

    Raises:
        ConfigError: the key is still ``file:PATH``.
    """
    if named_file(text) is not None:
        raise ConfigError(f"{place}: its file was not read; report this error")
    return text


def read_text(
    path: Path, place: str = "", *, kind: type[StartupError] = ConfigError, advice: str = ""
) -> str:
    """Read a text file, without a byte order mark.

    Errors name the ``place``, section and key, unless the user named the file. They say what to do
    about a file that is not text: ``advice``, by default to save it as UTF-8.

    Raises:
        StartupError: the file cannot be read, is too large, or is not UTF-8. Its type is ``kind``;
            its message is one line: where, which file, what was found, what to do.
    """
    where = f"{place}: file {path}" if place else str(path)
    data = read_bytes(path, where, kind=kind)
    try:
        return _decoded(data)
    except _NotText as error:
        raise kind(f"{where}: {error}; {advice or 'save the file as UTF-8'}") from error


def read_bytes(path: Path, where: str, *, kind: type[StartupError] = ConfigError) -> bytes:
    """Read the bytes of a text file, in whichever encoding; ``where`` names it in errors.

    Raises:
        StartupError: the file cannot be read, or is too large; of the type ``kind``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise kind(f"{where}: cannot be read: {error.strerror}; give a readable file") from error
    except ValueError as error:  # NUL in the path
        raise kind(f"{where}: cannot be read: {error}; give a readable file") from error
    if len(data) > MAX_BYTES:
        raise kind(f"{where}: is larger than {MAX_BYTES} bytes; give a text file")
    return data


class _NotText(Exception):
    """Bytes that are not UTF-8 text; the message says what they are."""


def _decoded(data: bytes) -> str:
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            raise _NotText(f"is {encoding}; allowed: UTF-8")
    if (place := data.find(0)) >= 0:
        raise _NotText(
            f"byte {place} is zero, as in UTF-16 or in raw bytes; allowed: text in UTF-8"
        )
    try:
        return data.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise _NotText(f"byte {error.start} is not UTF-8; allowed: text in UTF-8") from error
