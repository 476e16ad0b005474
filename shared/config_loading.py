"""Loading the configuration: the file, then the environment over it, then the schema's judgement.

An environment variable ``LUNAPASS__SECTION__KEY=value`` sets one key; names match without regard
to case, and the value is read as TOML (``15``, ``true``, ``["jpeg"]``) or else as plain text.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared import config_faults, config_schema
from shared.config import Config
from shared.config_base import Section
from shared.config_manual import LunaPassSection
from shared.errors import ConfigError

DEFAULT_PATH = Path("config/lunapassapi.config.toml")
PATH_VARIABLE = "LUNAPASS_CONFIG"
PREFIX = "LUNAPASS__"

Table = dict[str, Any]
KeyPath = config_schema.Path


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Load the configuration.

    Args:
        path: the file; None takes ``$LUNAPASS_CONFIG``, else ``config/lunapassapi.config.toml``
            if there is one, else the defaults.
        environment: variables that override single keys.

    Raises:
        ConfigError: one line for each fault: file or variable, section, key, what was found, what
            is allowed, what to do.
    """
    file = path or usual_path(environment)
    table = _read(file) if file else {}
    faults = [f"{file}: {fault}" for fault in _move_top_level_keys(table)]
    origins, environment_faults = _override(table, environment)
    faults += environment_faults
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        faults += config_faults.describe(
            error, lambda path: _source(path, origins) or str(file or "configuration")
        )
    if faults:
        raise ConfigError("\n".join(faults))
    return config


def usual_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that is loaded when none is named; None where there is none."""
    if named := environment.get(PATH_VARIABLE):
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; give a readable file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    except RecursionError as error:
        raise ConfigError(
            f"{path}: not TOML: values are nested too deeply; flatten them"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}; correct that place") from error
    except ValueError as error:  # tomllib lets Python's bound on digits through
        raise ConfigError(f"{path}: a number has too many digits; shorten it") from error


def _move_top_level_keys(table: Table) -> list[str]:
    """Move ``env``, ``host``, ``port`` and ``logLevel`` into ``[LUNA_PASS]``.

    The original's manual can be read both ways. Returns a fault for each key given twice.
    """
    faults = []
    for name, field in LunaPassSection.model_fields.items():
        if name not in table or config_schema.section_of(field) is not None:
            continue
        value = table.pop(name)
        section = table.setdefault("LUNA_PASS", {})
        if not isinstance(section, dict):
            continue  # the schema's fault will tell
        if name in section:
            faults.append(
                f"{name} stands at the top and in [LUNA_PASS]; allowed: one of the two places; "
                "remove one"
            )
        section[name] = value
    return faults


def _override(table: Table, environment: Mapping[str, str]) -> tuple[dict[KeyPath, str], list[str]]:
    """Set the keys that environment variables name; return who set what, and the faults."""
    origins: dict[KeyPath, str] = {}
    faults: list[str] = []
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        path, fault = _resolve(variable)
        if fault is None and path in origins:
            fault = f"sets the same key as {origins[path]}; allowed: one of the two; remove one"
        if not _is_unicode(environment[variable]):
            fault = "is not UTF-8; correct its bytes"
        if fault is not None:
            faults.append(f"environment variable {variable}: {fault}")
            continue
        origins[path] = variable
        _set(table, path, _value(environment[variable], path))
    return origins, faults


def _resolve(variable: str) -> tuple[KeyPath, str | None]:
    """Find the key that a variable names, or a fault."""
    parts = tuple(variable.removeprefix(PREFIX).split("__"))
    path = _spelled(parts)
    field = config_schema.field_at(path)
    if field is None:
        return path, config_faults.unknown(path)
    if (section := config_schema.section_of(field)) is not None:
        names = ", ".join(section.model_fields)
        return path, f"[{'.'.join(path)}] is a section; allowed: a key; add __ and one of {names}"
    return path, None


def _spelled(parts: KeyPath) -> KeyPath:
    """Spell the parts as the schema does, up to the first that it does not know."""
    if len(parts) == 1 and (key := _match(LunaPassSection, parts[0])):
        return ("LUNA_PASS", key)
    path: KeyPath = ()
    for part in parts:
        section = config_schema.section_at(path)
        name = _match(section, part) if section else None
        if name is None:
            return (*path, part)
        path = (*path, name)
    return path


def _match(section: type[Section], name: str) -> str | None:
    return next(
        (known for known in section.model_fields if known.casefold() == name.casefold()), None
    )


def _is_unicode(text: str) -> bool:
    """Tell whether the system could decode a variable; it keeps stray bytes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _value(text: str, path: KeyPath) -> object:
    """Read a variable's text as TOML, or take it as it is."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.pop("value")
    field = config_schema.field_at(path)
    wants_text = field is not None and config_schema.is_text(field)
    return text if parsed or (wants_text and not isinstance(value, str)) else value


def _set(table: Table, path: KeyPath, value: object) -> None:
    """Set one key, unless the file has something else than a table on the way: its own fault."""
    *section, key = path
    for name in section:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return
    table[key] = value


def _source(path: KeyPath, origins: Mapping[KeyPath, str]) -> str | None:
    """Name the environment variable that set the key at a path, if one did."""
    variable = origins.get(path)
    return f"environment variable {variable}" if variable else None
