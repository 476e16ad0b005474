"""Charts as inline SVG: no script, no external files, readable on paper and on a dark screen."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

Point = tuple[float, float]
Range = tuple[float, float]

LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 40
COLOURS = ("#2f6fde", "#d9822b", "#2a9d5c", "#b2429b", "#c23b3b", "#6c63b5", "#5b7083", "#93a01f")
DASHES = ("", "6 3", "2 3")
"""Dash patterns that tell lines of one colour apart."""
MAX_INTERVALS = 6
"""Intervals between the labels of an axis."""
LETTER, ROW = 7, 16
"""Width of a letter and height of a row of the legend, in pixels."""
BAR_WIDTH, BAR_ROW = 620, 24
"""Width of a stacked bar, and its height with the gap below, in pixels."""
SHARES = (0, 1, 3, 6)
"""Colours of a stacked bar's shares, by place in ``COLOURS``: neither red nor green, which would
look like a judgement."""
UNIT: Range = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line through points, or bars from zero.

    A value that is not finite breaks the line. With ``step``, a point's value holds from the point
    before up to this one, as for an error rate over thresholds.
    """

    name: str
    points: Sequence[Point]
    bars: bool = False
    step: bool = False


def plot(
    curves: Sequence[Curve],
    *,
    x: str,
    y: str,
    title: str = "",
    x_range: Range = UNIT,
    y_range: Range = UNIT,
    marks: Iterable[float] = (),
    size: tuple[int, int] = (420, 260),
) -> str:
    """Draw curves on common axes with the labels ``x`` and ``y``, with a legend below.

    The title, by default made from the labels, is for screen readers. Values outside of a range are
    drawn at the edge. ``marks`` are values of x with a dashed line, such as a threshold. ``size``
    is width and height in pixels without the legend.

    Returns:
        An ``svg`` element.
    """
    frame = _Axes(x_range, y_range, *size)
    legend, rows = _legend([curve.name for curve in curves], *size)
    width, height = size[0], size[1] + ROW * rows
    parts = [
        _svg(width, height, title or f"{y} over {x}"),
        *frame.axes(x, y),
        *(frame.mark(value) for value in marks),
    ]
    for place, curve in enumerate(curves):
        drawn = frame.bars(curve, place, len(curves)) if curve.bars else frame.line(curve, place)
        parts += [f"<g {_look(place)}><title>{escape(curve.name)}</title>", *drawn, "</g>"]
    return "".join((*parts, *legend, "</svg>"))


def stacked(rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> str:
    """Draw a horizontal bar for each row, divided into its shares, with a legend below.

    A row has a label, and shares of the whole with a sum of at most 1; there are names for at most
    four shares.

    Returns:
        An ``svg`` element.
    """
    left = LETTER * max((len(label) for label, _ in rows), default=0) + 12
    width, height = left + BAR_WIDTH + RIGHT, TOP + BAR_ROW * len(rows) + 6
    parts = []
    for place, (label, shares) in enumerate(rows):
        top, across = TOP + BAR_ROW * place, float(left)
        parts.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>'
        )
        for kind, share in enumerate(shares):
            title = f"<title>{escape(names[kind])}: {share:.1%}</title>"
            parts.append(
                f'<rect x="{across:.1f}" y="{top}" width="{BAR_WIDTH * share:.1f}"'
                f' height="{BAR_ROW - 6}" {_look(SHARES[kind])} stroke-width="0">{title}</rect>'
            )
            across += BAR_WIDTH * share
    legend, lines = _legend(names, width, height, SHARES)
    height += ROW * lines
    return "".join((_svg(width, height, ", ".join(names)), *parts, *legend, "</svg>"))


def histogram(values: Sequence[float], bins: int = 20) -> list[Point]:
    """Count values of 0..1 into bins; return each bin's middle and its share of all values."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value * bins)))] += 1
    total = max(1, len(values))
    return [((place + 0.5) / bins, count / total) for place, count in enumerate(counts)]


def from_zero(values: Iterable[float]) -> Range:
    """Return the range from zero to the first axis label at or above all finite values."""
    maximum = max((value for value in values if math.isfinite(value)), default=0.0)
    if maximum <= 0:
        return UNIT
    step = _step(maximum)
    return 0.0, step * math.ceil(maximum / step - 1e-9)


@dataclass(frozen=True)
class _Axes:
    """Maps values to pixels of the chart."""

    x_range: Range
    y_range: Range
    width: int
    height: int

    def across(self, value: float) -> float:
        return LEFT + (self.width - LEFT - RIGHT) * _share(value, self.x_range)

    def down(self, value: float) -> float:
        bottom = self.height - BOTTOM
        return bottom - (bottom - TOP) * _share(value, self.y_range)

    def axes(self, x: str, y: str) -> Iterator[str]:
        right, bottom = self.width - RIGHT, self.height - BOTTOM
        for value in _labels(self.x_range):
            column = self.across(value)
            yield f'<path d="M{column:.1f} {TOP}V{bottom}" stroke="#8884"/>'
            yield f'<text x="{column:.1f}" y="{bottom + 14}" text-anchor="middle">'
            yield f"{_number(value)}</text>"
        for value in _labels(self.y_range):
            row = self.down(value)
            yield f'<path d="M{LEFT} {row:.1f}H{right}" stroke="#8884"/>'
            yield f'<text x="{LEFT - 5}" y="{row + 4:.1f}" text-anchor="end">'
            yield f"{_number(value)}</text>"
        yield f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>'
        yield f'<text x="{(LEFT + right) / 2}" y="{self.height - 8}" text-anchor="middle">'
        yield f'{escape(x)}</text><text transform="translate(11 {(bottom + TOP) / 2}) rotate(-90)"'
        yield f' text-anchor="middle">{escape(y)}</text>'

    def mark(self, value: float) -> str:
        down = f"M{self.across(value):.1f} {TOP}V{self.height - BOTTOM}"
        return f'<path d="{down}" stroke="#888" stroke-dasharray="4 3"/>'

    def line(self, curve: Curve, place: int) -> Iterator[str]:
        dash = DASHES[place // len(COLOURS) % len(DASHES)]
        for piece in _pieces(curve.points):
            places = [(self.across(x), self.down(y)) for x, y in piece]
            if len(places) == 1:
                yield f'<circle cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2"/>'
                continue
            corners = _steps(places) if curve.step else places
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            yield f'<polyline points="{path}" fill="none" stroke-width="1.8"'
            yield f' stroke-dasharray="{dash}"/>'

    def bars(self, curve: Curve, place: int, of: int) -> Iterator[str]:
        wide = (self.width - LEFT - RIGHT) / max(1, len(curve.points)) / of
        for x, y in curve.points:
            top, left = self.down(y), self.across(x) + (place - of / 2) * wide
            tall = self.down(self.y_range[0]) - top
            if tall > 0:
                yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}"'
                yield f' height="{tall:.1f}" fill-opacity=".75" stroke="none"/>'


def _svg(width: float, height: float, title: str) -> str:
    """Return the start tag of a chart."""
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="11"'
        ' fill="currentColor">'
    )


def _look(place: int) -> str:
    colour = COLOURS[place % len(COLOURS)]
    return f'stroke="{colour}" fill="{colour}"'


def _legend(
    names: Sequence[str], width: int, height: int, colours: Sequence[int] | None = None
) -> tuple[list[str], int]:
    """Return the legend's elements and its number of rows; colours are places in ``COLOURS``."""
    parts, left, row = [], LEFT, 0
    for place, name in zip(colours or range(len(names)), names, strict=False):
        wide = LETTER * len(name) + 24
        if left > LEFT and left + wide > width - RIGHT:
            left, row = LEFT, row + 1
        parts.append(
            f'<g {_look(place)}><rect x="{left}" y="{height + ROW * row}" width="9" height="9"/>'
            f'<text x="{left + 13}" y="{height + ROW * row + 9}" stroke="none">'
            f"{escape(name)}</text></g>"
        )
        left += wide
    return parts, row + 1 if names else 0


def _pieces(points: Sequence[Point]) -> list[list[Point]]:
    """Split a line at values that are not finite."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point[0]) and math.isfinite(point[1]):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _steps(places: Sequence[Point]) -> Iterator[Point]:
    """Insert a corner before each point, at the value of the point before."""
    yield places[0]
    for (before, _), (x, y) in pairwise(places):
        yield before, y
        yield x, y


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"


def _step(span: float) -> float:
    """Return the smallest round step with which ``MAX_INTERVALS`` steps cover a span."""
    power: float = 10.0 ** math.floor(math.log10(span / MAX_INTERVALS))
    return next(
        n for n in (power, 2 * power, 5 * power, 10 * power) if n * MAX_INTERVALS >= 0.9999 * span
    )


def _labels(limits: Range) -> list[float]:
    """Return the round numbers within the limits."""
    low, high = limits
    if high <= low:
        return [low]
    step = _step(high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * place for place in range(first, last + 1)]


def _share(value: float, limits: Range) -> float:
    low, high = limits
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0
