"""Writes the configuration as TOML, with the meaning and the allowed values of each key."""

import datetime
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.config.base import Section
from shared.config.middlewares import UserPlugin, WsMiddlewares
from shared.config.schema import Path, allowed, descriptions, place, section_of

HIDDEN = "***"
"""Replaces a secret."""


MAX_DECIMAL = 10**4000
"""Python refuses to convert numbers of more than 4300 digits to decimal."""
WIDTH = 100


def dump(config: Section, *, reveal: bool = False, comments: bool = True) -> str:
    """Return every key of a configuration as TOML, which ``loading.load`` can read.

    A key without a value becomes a comment, since TOML has no null. Without ``reveal``, ``***``
    replaces secrets, passwords and queries in addresses, and all text in the arguments of
    users' own plugins. Comments above each key say what it means and allows.
    """
    lines = _section_lines(config, (), "", reveal=reveal, comments=comments)
    return "\n".join(lines).strip("\n") + "\n"


def value_text(value: object) -> str:
    """Return one value as TOML, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case int():
            return str(value) if abs(value) < MAX_DECIMAL else hex(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return "[" + ", ".join(value_text(item) for item in value) + "]"
        case dict():
            items = (f"{key_text(name)} = {value_text(item)}" for name, item in value.items())
            return "{ " + ", ".join(items) + " }" if value else "{}"
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def field_text(value: Any, field: FieldInfo) -> str:
    """Return a key's value, even a secret; switches (0) and degrees (20) as in LUNA PASS."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if field.annotation is bool or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return value_text(value)


def key_text(name: str) -> str:
    """Return a key's name, in quotes where TOML requires them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value_text(name)


def without_secrets(value: Any) -> Any:
    """Hide what may be secret in an address, or in each address of a list.

    User and password, and the values of the query, as in
    ``redis+sentinel://:password@host/master?sentinel_password=...``. Other values are unchanged.
    """
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    if not isinstance(value, str) or "//" not in value:
        return value
    address, mark, query = re.sub(r"//.*@", f"//{HIDDEN}@", value, flags=re.DOTALL).partition("?")
    parts = [part.partition("=") for part in query.split("&")]
    names = [f"{name}=" if equals else "" for name, equals, _ in parts]
    return address + (mark and mark + "&".join(name + HIDDEN for name in names))


def _section_lines(
    section: Section, path: Path, meaning: str, *, reveal: bool, comments: bool
) -> Iterator[str]:
    """Yield a section's header and keys, then the sections below it."""
    keys = list(_keys(section))
    if keys:
        yield ""
        if comments:
            yield from _comment(one_line(meaning))
        yield "[" + ".".join(key_text(name) for name in path) + "]"
    for key_path, owner, field, value in keys:
        _, key = place((*path, *key_path))
        if comments:
            yield from _key_comment(field, descriptions(owner).get(key_path[-1], ""))
        yield _key_line(key, value if reveal else _masked(value, section), field)
    for name, table in _tables(section):
        about = _meaning(section, name) if comments else ""
        yield from _section_lines(table, (*path, name), about, reveal=reveal, comments=comments)


def _keys(section: Section) -> Iterator[tuple[Path, type[Section], FieldInfo, Any]]:
    """Yield a section's own keys; a plugin's arguments count as keys of the plugin.

    Each comes with the model that it belongs to, its field and its value.
    """
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if section_of(field) is None:
            yield (name,), type(section), field, value
        elif name == "args":
            for path, owner, inner, item in _keys(value):
                yield ("args", *path), owner, inner, item


def _tables(section: Section) -> Iterator[tuple[str, Section]]:
    for name, field in type(section).model_fields.items():
        if section_of(field) is not None and name != "args":
            yield name, getattr(section, name)
    if isinstance(section, WsMiddlewares):
        yield from section.user_plugins.items()


def _meaning(section: Section, name: str) -> str:
    return descriptions(type(section)).get(name) or UserPlugin.__doc__ or ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _key_comment(field: FieldInfo, docstring: str) -> list[str]:
    meaning, values = one_line(docstring), allowed(field)
    if values == "text":
        return _comment(meaning)
    values = f"Allowed: {values}."
    if len(meaning) + len(values) + len("#  ") <= WIDTH:
        return _comment(f"{meaning} {values}")
    return _comment(meaning) + _comment(values)


def _key_line(key: str, value: Any, field: FieldInfo) -> str:
    if value is None:
        return f"# {key} ="
    return f"{key} = {field_text(value, field)}"


def _masked(value: Any, section: Section) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(section, UserPlugin) and isinstance(value, dict):
        return _without_text(value)
    return without_secrets(value)


def _without_text(value: Any) -> Any:
    """Hide all text in the arguments of a user's plugin, any of which may be a secret."""
    match value:
        case str():
            return HIDDEN
        case dict():
            return {name: _without_text(item) for name, item in value.items()}
        case list():
            return [_without_text(item) for item in value]
    return value


def one_line(text: str) -> str:
    """Put a docstring on one line and remove the double backquotes of reStructuredText."""
    return " ".join(text.split()).replace("``", "")
