"""Building blocks of the configuration's sections: the base class and the types of values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.estimation import Glasses


def _flag(value: object) -> object:
    """Accept 0 and 1 for a switch, as the original's configuration files write it."""
    return bool(value) if value in (0, 1) and not isinstance(value, float) else value


def _glasses(value: object) -> object:
    """Accept both spellings of a kind of glasses, ``GlassesEstimation.EyeGlasses`` too."""
    if isinstance(value, str):
        short = value.removeprefix("GlassesEstimation.")
        spelled = {"NoGlasses": "no_glasses", "EyeGlasses": "eyeglasses"}
        return spelled.get(short, {"SunGlasses": "sunglasses"}.get(short, value))
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]
Secret = Annotated[SecretStr, Field(strict=False)]
Unit = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Duration = Annotated[str, Field(pattern=r"^\d+\s*(s|m|h|d|w|y)?$")]
GlassesName = Annotated[Glasses, BeforeValidator(_glasses)]


class Section(BaseModel):
    """One table of the file: immutable, typed strictly, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )
