"""The manifest ``models.toml``: each model's role, file, source and runtime."""

from __future__ import annotations

import functools
import tomllib
from enum import StrEnum
from importlib import resources
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rewrite = Literal["prelu", "yunet"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Kind(StrEnum):
    """A set of models."""

    REFERENCE = "reference"
    """All roles, passive liveness included."""
    FALLBACK = "fallback"
    """From packages of the npm registry; its passive liveness is weak."""


class ModelSpec(BaseModel):
    """One model file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    role: str
    """What the file does, such as ``detector``."""
    file: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    """File name in the models directory."""
    bytes: Annotated[int, Field(ge=1)]
    sha256: Sha256
    licence: str
    """SPDX identifier of the source's licence."""
    attribution: str
    url: Annotated[str, Field(pattern=r"^https://")] | None = None
    """Public address with the commit."""
    required: bool = True
    """Whether the set needs it to start."""
    on_request: str = ""
    """Name by which ``lunapass models pull --with`` requests it; empty: it is always fetched."""
    provider: Literal["cpu", "openvino"] = "cpu"
    """The fastest in measurements: onnxruntime's CPU provider, or OpenVINO."""
    rewrite: Rewrite | None = None
    """Rewrite to the variant that is faster on the CPU provider; None without a variant."""
    variant_sha256: Sha256 | None = None
    """Hash of that variant."""
    embedding: str | None = None
    """Name of the tensor before the last layer of a liveness network."""
    input: str = ""
    """Shape, colour order and range that the network expects."""
    output: str = ""
    """Meaning of the network's output."""

    @property
    def variant(self) -> str | None:
        """File name of the variant."""
        return f"{PurePath(self.file).stem}.{self.rewrite}.onnx" if self.rewrite else None

    @model_validator(mode="after")
    def _pin_variant(self) -> ModelSpec:
        if (self.rewrite is None) != (self.variant_sha256 is None):
            raise ValueError("rewrite and variant_sha256 must be given together")
        return self


class Manifest(BaseModel):
    """Both sets of models, by role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: dict[str, ModelSpec]
    fallback: dict[str, ModelSpec] = {}

    @model_validator(mode="before")
    @classmethod
    def _name_roles(cls, sets: dict[str, dict[str, dict[str, object]]]) -> object:
        return {
            name: {role: {"role": role, **table} for role, table in models.items()}
            for name, models in sets.items()
        }

    def models(self, kind: Kind) -> dict[str, ModelSpec]:
        """Return one set's models by role, in the manifest's order."""
        return self.reference if kind is Kind.REFERENCE else self.fallback


@functools.cache
def load_manifest() -> Manifest:
    """Read the package's manifest."""
    text = resources.files(__package__).joinpath("models.toml").read_text(encoding="utf-8")
    return Manifest.model_validate(tomllib.loads(text))
