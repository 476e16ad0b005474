"""Describes validation errors, one line each: where, what was found, what is allowed, what to do.

Values of secrets, of unknown keys and of misplaced tables are never shown, since each of them may
contain a secret.
"""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.config.base import Section
from shared.config.middlewares import WsMiddlewares
from shared.config.schema import (
    Path,
    allowed,
    field_at,
    is_secret,
    keys,
    place,
    section_at,
    section_of,
)
from shared.config.service import Config
from shared.config.toml import field_text, key_text, value_text, without_secrets

MAX_VALUE_CHARS = 60
"""Characters of a wrong value that are shown."""

Location = tuple[int | str, ...]


def describe(
    error: ValidationError, source_of: Callable[[Path], str], root: type[Section] = Config
) -> list[str]:
    """Describe each validation error in a line.

    ``source_of`` returns the file or the environment variable that set the value at a path.
    """
    return [
        f"{source_of(_path(line['loc']))}: {_line(line, root)}"
        for line in error.errors(include_url=False)
    ]


def unknown(path: Path, root: type[Section] = Config) -> str:
    """Describe a path that does not exist, and suggest what was meant."""
    parent = section_at(path[:-1], root)
    if parent is None:
        return f"{'.'.join(path[:-1])} is a key, not a section; remove what follows it"
    section, key = place((*path[:-1], key_text(path[-1])))
    where = f"[{section}] has no key {key}" if section else f"there is no section or key {key}"
    names = list(parent.model_fields)
    meant = suggestion(path, names, root)
    own = ", package.module:Class" if parent is WsMiddlewares else ""
    return f"{where}{meant}; allowed: {', '.join(names)}{own}; rename or remove it"


def suggestion(path: Path, names: Iterable[str], root: type[Section] = Config) -> str:
    """Return a suggestion of the key that was probably meant; empty if no key is similar."""
    by_case = {known.casefold(): known for known in names}
    name = path[-1].casefold()
    near = difflib.get_close_matches(name, by_case, n=1)
    meant = by_case.get(name) or _elsewhere(path, root) or (by_case[near[0]] if near else None)
    return f" (did you mean {meant}?)" if meant else ""


def _elsewhere(path: Path, root: type[Section]) -> str | None:
    """Find the only section with a key of this name, preferably below the given section."""
    *section, name = path
    places = [known for known, _ in keys(root) if known[-1].casefold() == name.casefold()]
    below = [known for known in places if list(known[: len(section)]) == section]
    if len(below or places) != 1:
        return None
    where, key = place((below or places)[0])
    return key if where == ".".join(section) else f"{key} of [{where}]"


def _path(location: Location) -> Path:
    """Drop the positions within lists, which are at the end."""
    return tuple(part for part in location if isinstance(part, str))


def _line(line: ErrorDetails, root: type[Section]) -> str:
    path = _path(line["loc"])
    field = field_at(path, root)
    if line["type"] == "extra_forbidden":
        return unknown(path, root)
    if field is None or section_of(field) is not None:
        return _not_a_table(path, line["input"])
    section, key = place(path)
    return (
        f"[{section}] {key} is {found(line['input'], field)}; allowed: {allowed(field)}; "
        f"correct it, or remove it{_default(field)}"
    )


def _not_a_table(path: Path, value: object) -> str:
    name = ".".join(path)
    return (
        f"[{name}] is {_kind(value)}; allowed: a section; "
        f"write its keys below a line [{name}], or remove it"
    )


def found(value: object, field: FieldInfo) -> str:
    """Return an invalid value for display: shortened, without secrets."""
    if is_secret(field):
        return f"{_kind(value)} (hidden)"
    if isinstance(value, dict) or _is_nested(value):
        return _kind(value)
    text = value_text(without_secrets(value))
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 3] + "..."


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, list | dict) for item in value)


def _kind(value: object) -> str:
    names: dict[type[Any], str] = {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else f" for the default {field_text(field.default, field)}"
