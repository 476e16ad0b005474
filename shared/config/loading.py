"""Loading a configuration: the file, then the environment over it, then the schema's judgement.

An environment variable ``LUNAPASS__SECTION__KEY=value`` sets one key; names match without regard
to case, and the value is read as TOML (``15``, ``true``, ``["jpeg"]``) or else as plain text. That
is the service's; the video worker has a file and variables of its own, ``LUNAPASSVIDEO__...``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from shared.config import faults as config_faults
from shared.config import schema as config_schema
from shared.config.base import Section
from shared.config.manual import LunaPassSection
from shared.config.service import Config
from shared.config.video import VideoConfig
from shared.errors import ConfigError
from shared.text_files import read_text

Table = dict[str, Any]
KeyPath = config_schema.Path
Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True)
class Source:
    """Where a configuration comes from.

    Attributes:
        default_path: the file unless another is named.
        path_variable: environment variable that names another.
        prefix: beginning of the variables that set single keys.
    """

    default_path: Path
    path_variable: str
    prefix: str

    def usual_path(self, environment: Mapping[str, str] = os.environ) -> Path | None:
        """Return the file that is loaded when none is named; None where there is none."""
        if named := environment.get(self.path_variable):
            return Path(named)
        return self.default_path if self.default_path.exists() else None


SERVICE = Source(Path("config/lunapassapi.config.toml"), "LUNAPASS_CONFIG", "LUNAPASS__")
VIDEO = Source(Path("config/lunapassvideo.config.toml"), "LUNAPASSVIDEO_CONFIG", "LUNAPASSVIDEO__")


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Load the service's configuration.

    Args:
        path: the file; None takes ``$LUNAPASS_CONFIG``, else ``config/lunapassapi.config.toml``
            if there is one, else the defaults.
        environment: variables that override single keys.

    Raises:
        ConfigError: one line for each fault: file or variable, section, key, what was found, what
            is allowed, what to do.
    """
    return _load(Config, SERVICE, path, environment)


def load_video(
    path: Path | None = None, environment: Mapping[str, str] = os.environ
) -> VideoConfig:
    """Load the video worker's configuration, likewise.

    The path of the task file is that from the folder of the configuration file.
    """
    config = _load(VideoConfig, VIDEO, path, environment)
    folder = (path or VIDEO.usual_path(environment) or VIDEO.default_path).parent
    worker = config.WORKER.model_copy(update={"task": str(folder / config.WORKER.task)})
    return config.model_copy(update={"WORKER": worker})


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what configures the programs: a setting may be a secret that is not for a child."""
    prefixes = (SERVICE.prefix, VIDEO.prefix)
    paths = (SERVICE.path_variable, VIDEO.path_variable)
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(prefixes) and name not in paths
    }


def usual_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the service's file that is loaded when none is named; None where there is none."""
    return SERVICE.usual_path(environment)


def _load(
    model: type[Model], source: Source, path: Path | None, environment: Mapping[str, str]
) -> Model:
    file = path or source.usual_path(environment)
    table = _read(file) if file else {}
    moved = _move_top_level_keys(table) if source is SERVICE else []
    faults = [f"{file}: {fault}" for fault in moved]
    origins, environment_faults = _override(table, environment, model, source.prefix)
    faults += environment_faults
    config = None
    try:
        config = model.model_validate(table)
    except ValidationError as error:
        faults += config_faults.describe(
            error, lambda path: _source(path, origins) or str(file or "configuration"), model
        )
    if faults or config is None:
        raise ConfigError("\n".join(faults))
    return config


def _read(path: Path) -> Table:
    text = read_text(path)
    try:
        return tomllib.loads(text)
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


def _override(
    table: Table, environment: Mapping[str, str], root: type[Section], prefix: str
) -> tuple[dict[KeyPath, str], list[str]]:
    """Set the keys that environment variables name; return who set what, and the faults."""
    origins: dict[KeyPath, str] = {}
    faults: list[str] = []
    for variable in sorted(name for name in environment if name.startswith(prefix)):
        path, fault = _resolve(variable.removeprefix(prefix), root)
        if fault is None and path in origins:
            fault = f"sets the same key as {origins[path]}; allowed: one of the two; remove one"
        if not _is_unicode(environment[variable]):
            fault = "is not UTF-8; correct its bytes"
        if fault is not None:
            faults.append(f"environment variable {variable}: {fault}")
            continue
        origins[path] = variable
        _set(table, path, _value(environment[variable], config_schema.field_at(path, root)))
    return origins, faults


def _resolve(name: str, root: type[Section]) -> tuple[KeyPath, str | None]:
    """Find the key that a variable names, or a fault."""
    path = _spelled(tuple(name.split("__")), root)
    field = config_schema.field_at(path, root)
    if field is None:
        return path, config_faults.unknown(path, root)
    if (section := config_schema.section_of(field)) is not None:
        names = ", ".join(section.model_fields)
        return path, f"[{'.'.join(path)}] is a section; allowed: a key; add __ and one of {names}"
    return path, None


def _spelled(parts: KeyPath, root: type[Section]) -> KeyPath:
    """Spell the parts as the schema does, up to the first that it does not know."""
    if root is Config and len(parts) == 1 and (key := _match(LunaPassSection, parts[0])):
        return ("LUNA_PASS", key)
    path: KeyPath = ()
    for part in parts:
        section = config_schema.section_at(path, root)
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


def _value(text: str, field: FieldInfo | None) -> object:
    """Read a variable's text as TOML, or take it as it is."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.pop("value")
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
