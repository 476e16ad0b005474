"""What each mode of ``lunapass evaluate`` return."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from evaluation.whatif import Suggestion


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A result and its presentations.

    Attributes:
        summary: JSON values.
        show: prints the rates.
        page: makes the HTML report.
        suggestions: thresholds of LifeSigns.
    """

    summary: dict[str, Any]
    show: Callable[[Console], None]
    page: Callable[[], str]
    suggestions: Sequence[Suggestion] = ()
