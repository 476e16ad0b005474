"""Findings of the configuration's rules: errors, which prevent the start, and warnings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.config.service import Config


@dataclass(frozen=True)
class Finding:
    """One line about the configuration.

    Attributes:
        place: section, and key if it concerns one: ``[LUNA_PASS.JWT] key``.
        text: continues the sentence: what is wrong, what is allowed, what to do.
        is_error: it prevents the start; otherwise it is a warning.
    """

    place: str
    text: str
    is_error: bool

    def __str__(self) -> str:
        return f"{self.place} {self.text}"


Rule = Callable[[Config], Iterator[Finding]]


def error(place: str, text: str) -> Finding:
    """Make a finding that prevents the start."""
    return Finding(place, text, is_error=True)


def warning(place: str, text: str) -> Finding:
    """Make a finding that is only reported."""
    return Finding(place, text, is_error=False)
