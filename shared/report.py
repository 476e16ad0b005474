"""HTML reports from the macros of ``report.html``, with all external text escaped.

``parts.page(title, body)`` makes a report; the other macros make the parts of its body.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.errors import os_errors


def shown(value: Any) -> str:
    """Format a value for a table: short numbers, a dash for None, no line break before ``%``."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace(" %", "\u00a0%")


def percent(value: float | None) -> str:
    """Format a share as a percentage."""
    return "-" if value is None else f"{100 * value:.1f} %"


def write_report(file: Path, text: str) -> None:
    """Write a report to a file.

    Raises:
        ResourceError: the file cannot be written.
    """
    with os_errors(f"cannot write {file}"):
        file.write_text(text, encoding="utf-8")


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
)
_environment.filters["shown"] = shown
parts: Any = _environment.get_template("report.html").module
"""The macros of the template, as functions that return escaped markup."""
