"""Split a configuration into lines: sections, keys, comments and unreadable ones.

Each line is read by itself, so an invalid line does not make the others unreadable.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lunapass.migration.repair import repaired

MAX_LINES_OF_VALUE = 200
"""Maximum lines of a list or a text."""
Path = tuple[str, ...]


@dataclass(frozen=True)
class CommentLine:
    """A comment or an empty line."""

    text: str


@dataclass(frozen=True)
class SectionLine:
    """The beginning of a section."""

    number: int
    path: Path


@dataclass(frozen=True)
class KeyLine:
    """A key and its value.

    Attributes:
        number: line, from 1.
        text: as the file has it, over several lines for a long value.
        values: what it sets, by path in the section; several for an inline table.
        comment: what follows the value, with its number sign; empty for none.
        is_repaired: the original line is not valid TOML.
    """

    number: int
    text: str
    values: Mapping[Path, object]
    comment: str = ""
    is_repaired: bool = False


@dataclass(frozen=True)
class UnreadableLine:
    """A line that is not valid TOML and cannot be repaired."""

    number: int
    text: str


Line = CommentLine | SectionLine | KeyLine | UnreadableLine


def split(text: str) -> Iterator[Line]:
    """Read all lines of a file in their order."""
    rows = text.split("\n")
    index = 0
    while index < len(rows):
        line, used = _next(rows, index)
        yield line
        index += used


def _next(rows: list[str], index: int) -> tuple[Line, int]:
    """Read the line that starts at a row; return it and its number of rows."""
    row, number = rows[index], index + 1
    stripped = row.strip()
    if not stripped or stripped.startswith("#"):
        return CommentLine(row.rstrip()), 1
    for count in range(1, min(MAX_LINES_OF_VALUE, len(rows) - index) + 1):
        chunk = "\n".join(rows[index : index + count])
        if (line := _read(chunk, number)) is not None:
            return line, count
        repair = repaired(row) if count == 1 else None
        if repair is not None and (line := _read(repair, number, row)) is not None:
            return line, 1
    return UnreadableLine(number, row), 1


def _read(chunk: str, number: int, original: str | None = None) -> SectionLine | KeyLine | None:
    """Read a header or an assignment; None if the chunk is not valid TOML.

    The chunk is one row, or the rows of a long value, or a repair of the ``original``. ``number``
    is the line of the first row.
    """
    try:
        table = tomllib.loads(chunk)
    except (ValueError, RecursionError):  # tomllib's own error is a ValueError
        return None
    if chunk.lstrip().startswith("[["):
        return None  # no section here is a list of tables
    values = dict(_flat(table))
    if not values and chunk.lstrip().startswith("["):
        return SectionLine(number, _only_path(table))
    text = chunk if original is None else original
    return KeyLine(number, text, values, _trailing_comment(chunk), original is not None)


def _flat(table: Mapping[str, object], path: Path = ()) -> Iterator[tuple[Path, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, (*path, name))
        else:
            yield (*path, name), value


def _only_path(table: Mapping[str, object]) -> Path:
    path: Path = ()
    while table:
        ((name, inner),) = table.items()
        path, table = (*path, name), inner if isinstance(inner, dict) else {}
    return path


def _trailing_comment(chunk: str) -> str:
    """Return the comment after a value: the longest tail that does not change the value."""
    last = chunk.rsplit("\n", 1)[-1]
    whole = tomllib.loads(chunk)
    for position, character in enumerate(last):
        if character != "#":
            continue
        rest = chunk[: len(chunk) - len(last) + position]
        try:
            same = tomllib.loads(rest) == whole
        except ValueError:
            continue  # a number sign inside a text
        if same:
            return last[position:].rstrip()
    return ""
