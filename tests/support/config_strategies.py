"""Hypothesis strategies for values that the configuration's schema accepts."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.config.schema import section_of
from shared.config.service import Config

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TREES = st.recursive(
    TEXT | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def configurations():
    """Any choice of keys with any values that the schema accepts, and user plugins."""
    return sections(Config).flatmap(_with_user_plugins)


def _with_user_plugins(values):
    plugin = st.fixed_dictionaries(
        {}, optional={"isEnabled": st.booleans(), "args": st.dictionaries(TEXT, TREES, max_size=3)}
    )
    names = st.from_regex(r"[a-z]{1,4}(\.[a-z]{1,4})?:[A-Z][a-z]{0,4}", fullmatch=True)
    return st.dictionaries(names, plugin, max_size=2).map(lambda plugins: _merge(values, plugins))


def _merge(values, plugins):
    middlewares = values.get("MIDDLEWARES", {})
    merged = {**middlewares, "WS": {**middlewares.get("WS", {}), **plugins}}
    return {**values, "MIDDLEWARES": merged}


def sections(model):
    """Tables of one section, with any of its keys omitted."""
    return st.fixed_dictionaries(
        {}, optional={name: _values_of(field) for name, field in model.model_fields.items()}
    )


def _values_of(field):
    section = section_of(field)
    return sections(section) if section else _values(field.annotation, list(field.metadata))


def _values(kind, rules):
    while get_origin(kind) in (Annotated, Union, types.UnionType):
        kind, *extras = [option for option in get_args(kind) if option is not type(None)]
        rules = rules + [rule for extra in extras for rule in getattr(extra, "metadata", [extra])]
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is list:
        least = _bound(rules, MinLen, "min_length") or 0
        return st.lists(_values(get_args(kind)[0], []), min_size=least, max_size=4)
    if kind is bool:
        return st.sampled_from([0, 1, False, True])
    if kind in (int, float):
        return _numbers(kind, rules)
    pattern = next((rule.pattern for rule in rules if hasattr(rule, "pattern")), None)
    if pattern is not None:
        return st.from_regex(
            pattern, fullmatch=True, alphabet=st.characters(codec="ascii", exclude_characters="\0")
        )
    assert kind in (str, SecretStr, Any)
    return TEXT


def _numbers(kind, rules):
    low = _bound(rules, Ge, "ge")
    above = _bound(rules, Gt, "gt")
    high = _bound(rules, Le, "le")
    if kind is int:
        return st.integers(low, high)
    return st.floats(
        low if above is None else above,
        high,
        exclude_min=above is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def _bound(rules, kind, name):
    return next((getattr(rule, name) for rule in rules if isinstance(rule, kind)), None)
