"""Small plots as inline SVG: no script, no file beside the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 40
COLOURS = ("#2563a8", "#c2452d", "#3d8a3d", "#8a5cc2", "#b8860b", "#4b8b9b")


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line of points, or of bars that begin at zero.

    A line in steps has at each point the value of all the way to it from the point before, as an
    error rate over thresholds does.
    """

    name: str
    points: Sequence[tuple[float, float]]
    bars: bool = False
    step: bool = False


def plot(
    curves: Sequence[Curve],
    *,
    x: str,
    y: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
    marks: Iterable[float] = (),
) -> str:
    """Draw curves over common axes.

    Args:
        curves: what to draw, each in a colour of its own.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        x_range: least and greatest value shown.
        y_range: least and greatest value shown.
        marks: values of x at which a dashed line stands, such as a threshold.
    """
    frame = _Frame(x_range, y_range)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
        f' aria-label="{escape(y)} over {escape(x)}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *frame.axes(x, y),
        *(frame.mark(value) for value in marks),
    ]
    for place, curve in enumerate(curves):
        colour = COLOURS[place % len(COLOURS)]
        parts += frame.bars(curve, colour, place, len(curves)) if curve.bars else ()
        parts += () if curve.bars else (frame.line(curve, colour),)
        parts.append(
            f'<text x="{WIDTH - RIGHT - 4}" y="{TOP + 12 + 14 * place}" fill="{colour}"'
            f' text-anchor="end">{escape(curve.name)}</text>'
        )
    return "".join((*parts, "</svg>"))


def histogram(values: Sequence[float], bins: int = 20) -> list[tuple[float, float]]:
    """Count values of 0..1 into bins; answers each bin's middle and its share."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value * bins)))] += 1
    total = max(1, len(values))
    return [((place + 0.5) / bins, count / total) for place, count in enumerate(counts)]


@dataclass(frozen=True)
class _Frame:
    """Maps values into the picture."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def across(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x_range)

    def down(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(value, self.y_range)

    def axes(self, x: str, y: str) -> Iterable[str]:
        low, bottom = self.across(self.x_range[0]), self.down(self.y_range[0])
        for step in range(5):
            across = _between(self.x_range, step / 4)
            up = _between(self.y_range, step / 4)
            column, row = self.across(across), self.down(up)
            yield f'<path d="M{column:.1f} {TOP}V{bottom:.1f}" stroke="#eee"/>'
            yield f'<path d="M{low:.1f} {row:.1f}H{WIDTH - RIGHT}" stroke="#eee"/>'
            yield f'<text x="{column:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">'
            yield f"{across:g}</text>"
            yield f'<text x="{low - 5:.1f}" y="{row + 4:.1f}" text-anchor="end">{up:.3g}</text>'
        yield f'<path d="M{low:.1f} {TOP}V{bottom:.1f}H{WIDTH - RIGHT}" fill="none" stroke="#555"/>'
        middle = (HEIGHT - BOTTOM + TOP) / 2
        yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        yield f'{escape(x)}</text><text transform="translate(13 {middle}) rotate(-90)"'
        yield f' text-anchor="middle">{escape(y)}</text>'

    def mark(self, value: float) -> str:
        column, bottom = self.across(value), HEIGHT - BOTTOM
        return f'<path d="M{column:.1f} {TOP}V{bottom}" stroke="#888" stroke-dasharray="4 3"/>'

    def line(self, curve: Curve, colour: str) -> str:
        path, before = "", 0.0
        for place, (x, y) in enumerate(curve.points):
            column, row = self.across(x), self.down(y)
            if place and curve.step:
                path += f"L{before:.1f} {row:.1f}"
            path += f"{'L' if place else 'M'}{column:.1f} {row:.1f}"
            before = column
        return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def bars(self, curve: Curve, colour: str, place: int, of: int) -> Iterable[str]:
        wide = (WIDTH - LEFT - RIGHT) / max(1, len(curve.points)) / of
        bottom = self.down(self.y_range[0])
        for x, y in curve.points:
            if y <= 0:
                continue
            left = self.across(x) + (place - of / 2) * wide
            top = self.down(y)
            yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}"'
            yield f' height="{bottom - top:.1f}" fill="{colour}" fill-opacity=".75"/>'


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])
