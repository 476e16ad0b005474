"""User plugins: loaded by ``package.module:Class`` or by the name of an entry point."""

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from aggregator.plugins.base import Plugin
from shared.config.middlewares import ENTRY_POINTS
from shared.errors import ConfigError


def find(name: str) -> type[Plugin]:
    """Import a plugin by ``package.module:Class`` or the name of an entry point.

    Raises:
        ConfigError: the class does not exist, its module raises, or it is not a plugin.
    """
    try:
        found = _load(name)
    except Exception as error:  # user code may raise anything
        raise _error(name, f"cannot be loaded: {_line(error)}; correct the name") from error
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise _error(name, "is not a subclass of lunapass.plugins.Plugin; derive from it")
    if not (isinstance(found.Args, type) and issubclass(found.Args, BaseModel)):
        raise _error(name, "has no pydantic model as its Args; derive Args from BaseModel")
    return found


def arguments(name: str, kind: type[Plugin], table: dict[str, Any]) -> BaseModel:
    """Validate a plugin's arguments with its own model.

    Raises:
        ConfigError: they are invalid; one line for each error.
    """
    try:
        return kind.Args.model_validate(table)
    except ValidationError as error:
        lines = [
            f"{_place(name)} {'.'.join(map(str, ('args', *one['loc'])))}: {_one_line(one['msg'])}"
            for one in error.errors(include_url=False)
        ]
        raise ConfigError("\n".join(lines)) from error


def _load(name: str) -> object:
    module, colon, attribute = name.partition(":")
    if colon:
        return getattr(importlib.import_module(module), attribute)
    named: list[EntryPoint] = list(entry_points(group=ENTRY_POINTS, name=name))
    if len(named) != 1:
        raise LookupError(f"{len(named)} entry points of the group {ENTRY_POINTS} have that name")
    return named[0].load()


def _place(name: str) -> str:
    return f'[MIDDLEWARES.WS."{name}"]'


def _error(name: str, text: str) -> ConfigError:
    return ConfigError(f"{_place(name)} {text}")


def _line(error: Exception) -> str:
    return _one_line(f"{type(error).__name__}: {error}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
