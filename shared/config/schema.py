"""The schema of the configuration as data: sections, keys, and the allowed values of each key.

A *path* names a key with its tables, such as ``("LIVENESS", "THRESHOLDS", "yaw")``. Error messages,
the commented file, the reference table and the names of environment variables are all generated
from here, so they always agree with the validation.
"""

import ast
import inspect
import types
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.config.base import Confidential, Section
from shared.config.middlewares import UserPlugin, WsMiddlewares
from shared.config.service import Config

Path = tuple[str, ...]


def section_of(field: FieldInfo) -> type[Section] | None:
    """Return the model of a field that is a table; None for a plain key."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def keys(model: type[Section] = Config, path: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Yield all plain keys below a section, each section's own keys before its tables."""
    for name, field in model.model_fields.items():
        if section_of(field) is None:
            yield (*path, name), field
    for name, field in model.model_fields.items():
        if (section := section_of(field)) is not None:
            yield from keys(section, (*path, name))


def section_at(path: Path, root: type[Section] = Config) -> type[Section] | None:
    """Return the model of the section at a path; None if there is no such section."""
    model: type[Section] | None = root
    for name in path:
        if model is None:
            return None
        model = _child_section(model, name)
    return model


def _child_section(model: type[Section], name: str) -> type[Section] | None:
    if name in model.model_fields:
        return section_of(model.model_fields[name])
    return UserPlugin if model is WsMiddlewares else None


def field_at(path: Path, root: type[Section] = Config) -> FieldInfo | None:
    """Return the field (key or section) at a path; None if there is none."""
    if not path:
        return None
    parent = section_at(path[:-1], root)
    return parent.model_fields.get(path[-1]) if parent else None


@cache
def descriptions(model: type[Section]) -> dict[str, str]:
    """Return the docstrings of a section's keys and tables, read from its source.

    A table without one has the first paragraph of its model's.

    Pydantic can do this too (``use_attribute_docstrings``), but in every process that imports the
    schema, which takes 40 ms of its start.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        # ``PluginSection[Args]`` has no source of its own; its origin comes before it.
        if issubclass(base, Section) and not base.__pydantic_generic_metadata__["origin"]:
            [definition] = ast.parse(inspect.getsource(base)).body
            assert isinstance(definition, ast.ClassDef)
            found |= dict(_attribute_docstrings(definition))
    for name, field in model.model_fields.items():
        if name not in found and (section := section_of(field)) is not None:
            found[name] = inspect.cleandoc(section.__doc__ or "").partition("\n\n")[0]
    return found


def _attribute_docstrings(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in pairwise(definition.body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)


def description_at(path: Path, root: type[Section] = Config) -> str:
    """Return the docstring of the key or section at a path; empty if it has none."""
    parent = section_at(path[:-1], root)
    return descriptions(parent).get(path[-1], "") if parent else ""


def place(path: Path) -> tuple[str, str]:
    """Split a path into section and key as LUNA PASS writes it.

    A plugin's arguments belong to the plugin's section: ``MIDDLEWARES.WS.FileLogger``,
    ``args.path``.
    """
    *section, key = path
    if section and section[-1] == "args":
        key = f"{section.pop()}.{key}"
    return ".".join(section), key


def is_text(field: FieldInfo) -> bool:
    """Return whether a key accepts any text."""
    return _without_wrapping(field.annotation)[0] in (str, SecretStr)


def is_secret(field: FieldInfo) -> bool:
    """Return whether a key's value must never be shown."""
    return _without_wrapping(field.annotation)[0] is SecretStr


def is_confidential(field: FieldInfo) -> bool:
    """Return whether a key's value is a secret or may contain one."""
    rules = [*field.metadata, *_without_wrapping(field.annotation)[1]]
    return is_secret(field) or any(isinstance(rule, Confidential) for rule in rules)


def allowed(field: FieldInfo) -> str:
    """Describe the values that a key allows: type, range, choices."""
    section = section_of(field)
    if section is not None:
        return "a section with " + ", ".join(section.model_fields)
    return _words(field.annotation, list(field.metadata), field.examples)


def _words(kind: Any, rules: list[Any], examples: list[Any] | None = None) -> str:
    kind, inner = _without_wrapping(kind)
    rules = rules + inner
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) is list:
        return f"{_list_words(rules)}, each item {_words(get_args(kind)[0], [])}"
    if get_origin(kind) is dict:
        return "a table"
    if kind is bool:
        return "0 or 1 (or false, true)"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _range(rules)
    return "text" + (f" like {', '.join(examples)}" if examples else "")


def _list_words(rules: list[Any]) -> str:
    shortest = next((rule.min_length for rule in rules if isinstance(rule, MinLen)), 0)
    longest = next((rule.max_length for rule in rules if isinstance(rule, MaxLen)), None)
    if shortest == longest:
        return f"a list of {shortest}"
    return "a non-empty list" if shortest else "a list"


def _range(rules: list[Any]) -> str:
    low = next((rule.ge for rule in rules if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in rules if isinstance(rule, Le)), None)
    above = next((rule.gt for rule in rules if isinstance(rule, Gt)), None)
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f" above {above}" if above is not None else ""


def _without_wrapping(kind: Any) -> tuple[Any, list[Any]]:
    """Remove ``Annotated`` and ``| None`` from a type; return it with the rules found."""
    rules: list[Any] = []
    while get_origin(kind) in (Annotated, Union, types.UnionType):
        if get_origin(kind) is Annotated:
            kind, *extras = get_args(kind)
            rules += [
                rule
                for extra in extras
                for rule in (extra.metadata if isinstance(extra, FieldInfo) else [extra])
            ]
        else:
            kind = next(option for option in get_args(kind) if option is not type(None))
    return kind, rules
