"""Loads a configuration: reads the file, applies environment variables, validates the result.

An environment variable ``LUNAPASS__SECTION__KEY=value`` sets one key of the service; names are
case-insensitive, and the value is parsed as TOML (``15``, ``true``, ``["jpeg"]``) or else taken as
text. The video worker has its own file and variables, ``LUNAPASSVIDEO__...``.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from shared.config import schema, validation
from shared.config.base import Section
from shared.config.luna_pass import LunaPassSection
from shared.config.service import Config
from shared.config.video import VideoConfig
from shared.errors import ConfigError
from shared.text_files import read_text

Table = dict[str, Any]
KeyPath = schema.Path
Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True)
class Source:
    """Where a configuration comes from.

    Attributes:
        path_variable: environment variable that names another file.
        prefix: prefix of the variables that set single keys.
    """

    default_path: Path
    path_variable: str
    prefix: str

    def usual_path(self, environment: Mapping[str, str] = os.environ) -> Path | None:
        """Return the file to load by default; None if there is none."""
        if named := environment.get(self.path_variable):
            return Path(named)
        return self.default_path if self.default_path.exists() else None


SERVICE = Source(Path("config/lunapassapi.config.toml"), "LUNAPASS_CONFIG", "LUNAPASS__")
VIDEO = Source(Path("config/lunapassvideo.config.toml"), "LUNAPASSVIDEO_CONFIG", "LUNAPASSVIDEO__")


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Load the service's configuration; variables of the environment override single keys.

    Without a path, it is in ``$LUNAPASS_CONFIG``, else in ``config/lunapassapi.config.toml`` if
    there is one, else it has the defaults.

    Raises:
        ConfigError: one line per error: file or variable, section, key, what was found, what is
            allowed, what to do.
    """
    return _with_installed_models(_load(Config, SERVICE, path, environment))


def load_video(
    path: Path | None = None, environment: Mapping[str, str] = os.environ
) -> VideoConfig:
    """Load the video worker's configuration in the same way.

    The path of the task file is relative to the folder of the configuration file.
    """
    config = _load(VideoConfig, VIDEO, path, environment)
    folder = (path or VIDEO.usual_path(environment) or VIDEO.default_path).parent
    worker = config.WORKER.model_copy(update={"task": str(folder / config.WORKER.task)})
    return config.model_copy(update={"WORKER": worker})


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Remove the variables that configure the service: children must not inherit its secrets."""
    prefixes = (SERVICE.prefix, VIDEO.prefix)
    paths = (SERVICE.path_variable, VIDEO.path_variable)
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(prefixes) and name not in paths
    }


def _load(
    model: type[Model], source: Source, path: Path | None, environment: Mapping[str, str]
) -> Model:
    file = path or source.usual_path(environment)
    table = _read(file) if file else {}
    moved = _move_top_level_keys(table) if source is SERVICE else []
    errors = [f"{file}: {error}" for error in moved]
    origins, environment_errors = _override(table, environment, model, source.prefix)
    errors += environment_errors
    config = None
    try:
        config = model.model_validate(table)
    except ValidationError as error:
        errors += validation.describe(
            error, lambda path: _source(path, origins) or str(file or "configuration"), model
        )
    if errors or config is None:
        raise ConfigError("\n".join(errors))
    return config


def _with_installed_models(config: Config) -> Config:
    """Use the installation's models if the configuration names none and here are none.

    A configuration of LUNA PASS has no key for them. Archive, package and image have them beside
    the virtual environment.
    """
    installed = Path(sys.prefix).parent / "models"
    is_named = "directory" in config.MODELS.model_fields_set
    if is_named or Path(config.MODELS.directory).is_dir() or not installed.is_dir():
        return config
    models = config.MODELS.model_copy(update={"directory": str(installed)})
    return config.model_copy(update={"MODELS": models})


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
    except ValueError as error:  # Python's limit on digits, which tomllib does not handle
        raise ConfigError(f"{path}: a number has too many digits; shorten it") from error


def _move_top_level_keys(table: Table) -> list[str]:
    """Move ``env``, ``host``, ``port``, ``logLevel`` and ``logFile`` into ``[LUNA_PASS]``.

    The manual of LUNA PASS can be read both ways. Returns an error for each key given twice.
    """
    errors = []
    for name, field in LunaPassSection.model_fields.items():
        if name not in table or schema.section_of(field) is not None:
            continue
        value = table.pop(name)
        section = table.setdefault("LUNA_PASS", {})
        if not isinstance(section, dict):
            continue  # the validation reports it
        if name in section:
            errors.append(
                f"{name} is set at the top level and in [LUNA_PASS]; allowed: one of the two "
                "places; remove one"
            )
        section[name] = value
    return errors


def _override(
    table: Table, environment: Mapping[str, str], root: type[Section], prefix: str
) -> tuple[dict[KeyPath, str], list[str]]:
    """Set the keys that environment variables name; return each key's variable, and the errors."""
    origins: dict[KeyPath, str] = {}
    errors: list[str] = []
    for variable in sorted(name for name in environment if name.startswith(prefix)):
        path, error = _resolve(variable.removeprefix(prefix), root)
        if error is None and path in origins:
            error = f"sets the same key as {origins[path]}; allowed: one of the two; remove one"
        if not _is_unicode(environment[variable]):
            error = "is not UTF-8; correct its bytes"
        if error is not None:
            errors.append(f"environment variable {variable}: {error}")
            continue
        origins[path] = variable
        _set(table, path, _value(environment[variable], schema.field_at(path, root)))
    return origins, errors


def _resolve(name: str, root: type[Section]) -> tuple[KeyPath, str | None]:
    """Find the key that a variable names, or an error."""
    path = _spelled(tuple(name.split("__")), root)
    field = schema.field_at(path, root)
    if field is None:
        return path, validation.unknown(path, root)
    if (section := schema.section_of(field)) is not None:
        names = ", ".join(section.model_fields)
        return path, f"[{'.'.join(path)}] is a section; allowed: a key; add __ and one of {names}"
    return path, None


def _spelled(parts: KeyPath, root: type[Section]) -> KeyPath:
    """Spell the parts as in the schema, up to the first unknown one."""
    if root is Config and len(parts) == 1 and (key := _match(LunaPassSection, parts[0])):
        return ("LUNA_PASS", key)
    path: KeyPath = ()
    for part in parts:
        section = schema.section_at(path, root)
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
    """Return whether a variable is valid UTF-8; Python decodes invalid bytes to surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _value(text: str, field: FieldInfo | None) -> object:
    """Parse a variable's value as TOML, or return it as text."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed.pop("value")
    wants_text = field is not None and schema.is_text(field)
    return text if parsed or (wants_text and not isinstance(value, str)) else value


def _set(table: Table, path: KeyPath, value: object) -> None:
    """Set one key. If the file has no table on its path, the validation reports that."""
    *section, key = path
    for name in section:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return
    table[key] = value


def _source(path: KeyPath, origins: Mapping[KeyPath, str]) -> str | None:
    """Return the environment variable that set the key at a path, if any."""
    variable = origins.get(path)
    return f"environment variable {variable}" if variable else None
