"""Convert values as administrators write them to values that a key accepts."""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from shared.config.base import Section

_DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w|y)[a-z]*", re.IGNORECASE)
_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def convert(value: object, field: FieldInfo) -> object:
    """Return the first reading of a value that a key accepts.

    Raises:
        ValueError: the key accepts none.
    """
    definition: Any = (field.annotation, field)
    key = create_model("Key", __base__=Section, value=definition)
    for reading in _readings(value):
        try:
            key.model_validate({"value": reading})
        except ValidationError:
            continue
        return reading
    raise ValueError("the value cannot be interpreted as an allowed one")


def _readings(value: object) -> Iterator[object]:
    """Yield possible readings of a value, the most likely first."""
    if isinstance(value, str) and (linked := re.fullmatch(r"\s*<(.+)>\s*", value)):
        yield linked[1]  # an address as some editors mark it
    yield value
    if isinstance(value, str):
        yield from _readings_of_text(value)
    elif isinstance(value, bool):
        yield int(value)
    elif isinstance(value, int | float):
        yield from _readings_of_number(value)
    elif isinstance(value, list):
        yield [item.strip("<> ") if isinstance(item, str) else item for item in value]
        if len(value) == 1:
            yield from _readings(value[0])


def _readings_of_text(text: str) -> Iterator[Any]:
    text = text.strip()
    yield text
    if re.fullmatch(r"[+-]?\d{1,15}([.,]\d+)?", text):
        yield from _readings_of_number(float(text.replace(",", ".")))
    if text.casefold() in _SWITCHES:
        yield _SWITCHES[text.casefold()]
    if duration := _DURATION.fullmatch(text):
        yield duration[1] + duration[2].lower()
    yield from (text.upper(), text.lower())  # "h264", "Production"
    if text:
        yield [part.strip() for part in text.split(",")]


def _readings_of_number(number: float) -> Iterator[object]:
    if not isfinite(number):
        return
    if number == int(number):
        yield int(number)
        yield str(int(number))
    yield float(number)
    yield str(number)
