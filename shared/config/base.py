"""Base class of the configuration's sections, and the types of their values."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from shared.frame.estimation import Glasses


def _flag(value: object) -> object:
    """Accept 0 and 1 for a switch, as in configuration files of LUNA PASS."""
    return bool(value) if value in (0, 1) and not isinstance(value, float) else value


GLASSES_OF_1X: dict[Glasses, str] = {
    "no_glasses": "GlassesEstimation.NoGlasses",
    "eyeglasses": "GlassesEstimation.EyeGlasses",
    "sunglasses": "GlassesEstimation.SunGlasses",
}
"""Names of LUNA PASS 1.x for the kinds of glasses, by those of 2.x."""
_GLASSES = {old: new for new, old in GLASSES_OF_1X.items()}


def _glasses(value: object) -> object:
    """Accept the spelling of LUNA PASS 1.x as well as that of 2.x."""
    return _GLASSES.get(value, value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Confidential:
    """Marks a key whose value may contain a secret, such as an address with a password."""


Flag = Annotated[bool, BeforeValidator(_flag)]
Secret = Annotated[SecretStr, Field(strict=False)]
PrivateText = Annotated[str, Confidential()]
Unit = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
# Beyond 292 million years, Redis does not accept the expiry and would never delete the images.
Duration = Annotated[
    str,
    Field(pattern=r"^([0-9]{1,9} ?[smhdw]?|[0-9]{1,4} ?y)$", examples=["500s", "12h", "1y"]),
]
GlassesName = Annotated[Glasses, BeforeValidator(_glasses)]


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def seconds(duration: str) -> int:
    """Return the seconds of a ``Duration`` such as ``500s`` or ``1y``; the default unit is s."""
    text = duration.strip()
    return int(text[:-1]) * _SECONDS[text[-1]] if text[-1] in _SECONDS else int(text)


class Section(BaseModel):
    """One table of the file: immutable, strictly typed, without unknown keys or null characters."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )

    @field_validator("*")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """Refuse a null character: no path, name or address can have one."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("must not contain a null character")
        return value
