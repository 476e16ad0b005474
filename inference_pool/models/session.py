"""The session interface that ``Network`` uses, and the base class of our own sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Tensor(Protocol):
    """An input or output of a network; an open dimension is not a number."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def shape(self) -> Sequence[Any]:
        """Its dimensions."""


class ModelSession(Protocol):
    """A network that is ready to run."""

    def get_inputs(self) -> Sequence[Tensor]:
        """Inputs in the model's order."""

    def get_outputs(self) -> Sequence[Tensor]:
        """Outputs in the model's order."""

    def run(self, names: Sequence[str] | None, feed: dict[str, Floats]) -> list[Floats]:
        """Return the named outputs, or all, of one batch."""


@dataclass(frozen=True)
class Port:
    """Name and shape of a tensor of one of our own sessions."""

    name: str
    shape: Sequence[int | str]


class Described:
    """Base class of sessions: describes inputs and outputs, both in the model's order."""

    def __init__(self, inputs: list[Port], outputs: list[Port]) -> None:
        self._inputs = inputs
        self._outputs = outputs

    def get_inputs(self) -> list[Port]:
        """Inputs in the model's order."""
        return self._inputs

    def get_outputs(self) -> list[Port]:
        """Outputs in the model's order."""
        return self._outputs
