"""The frame of an HTML report: one file that loads nothing, with every outside text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1060px;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;
text-align:right}td:first-child,th:first-child{text-align:left}th{background:#f4f4f4}
.note{background:#fff5d6;border-left:4px solid #d9a400;padding:.6em 1em;margin:.6em 0}
.row{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0;width:190px}
figure img{width:190px;border:1px solid #ccc}figcaption{font-size:12px;overflow-wrap:anywhere}
"""


def page(title: str, body: Iterable[str]) -> str:
    """Put a report's parts into one page; nothing in it is loaded from elsewhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"{''.join(body)}</body></html>\n"
    )


def heading(text: str) -> str:
    """Begin a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Say something."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Warn of something."""
    return f'<div class="note">{escape(text)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out rows; numbers are shortened, None is a dash."""
    cells = "".join(f"<th>{escape(word)}</th>" for word in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(shown(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{cells}</tr>{lines}</table>"


def row(parts: Iterable[str]) -> str:
    """Put parts side by side."""
    return f'<div class="row">{"".join(parts)}</div>'


def picture(jpeg: str, caption: str) -> str:
    """Show a picture, given as base64 of its JPEG, with a line below."""
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{jpeg}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def shown(value: Any) -> str:
    """Write a value for a reader."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def percent(value: float | None) -> str:
    """Write a share as a percentage."""
    return "-" if value is None else f"{100 * value:.1f} %"
