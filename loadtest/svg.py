"""Line charts as inline SVG: no script, nothing fetched, readable on paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Point = tuple[float, float]
Series = Mapping[str, Sequence[Point]]

WIDTH, HEIGHT = 860, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 12, 30
COLOURS = ("#2f6fde", "#d9822b", "#2a9d5c", "#b2429b", "#c23b3b", "#6c63b5", "#5b7083", "#93a01f")
_GRID = 5


def _round_up(value: float) -> float:
    """Next number of the kind 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * 0.9999)


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"


def line_chart(title: str, unit: str, series: Series) -> str:
    """Draw lines over seconds.

    Args:
        title: what is shown; read by screen readers too.
        unit: of the values.
        series: points by name; a value that is not finite breaks its line.

    Returns:
        A ``figure`` element.
    """
    finite = [p for points in series.values() for p in points if math.isfinite(p[1])]
    right = max((x for x, _ in finite), default=1.0) or 1.0
    top = _round_up(max((y for _, y in finite), default=1.0))
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: Point) -> str:
        x = LEFT + plot_width * point[0] / right
        y = TOP + plot_height * (1 - point[1] / top)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f"<figure><figcaption>{escape(title)}, {escape(unit)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    ]
    for line in range(_GRID + 1):
        y = TOP + plot_height * line / _GRID
        label = _number(top * (1 - line / _GRID))
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        x = LEFT + plot_width * line / _GRID
        second = _number(right * line / _GRID)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{second} s</text>')
    for (name, points), colour in zip(series.items(), _colours(), strict=False):
        for piece in _pieces(points):
            path = " ".join(map(place, piece))
            label = f"<title>{escape(name)}</title>"
            parts.append(f'<polyline points="{path}" stroke="{colour}">{label}</polyline>')
    parts.append(f"</svg>{_legend(series)}</figure>")
    return "".join(parts)


def _colours() -> list[str]:
    return list(COLOURS) * 8


def _legend(series: Series) -> str:
    names = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in zip(series, _colours(), strict=False)
    )
    return f'<p class="legend">{names}</p>'


def _pieces(points: Sequence[Point]) -> list[list[Point]]:
    """Split a line at values that are not finite."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]
