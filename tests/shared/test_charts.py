"""Charts are well-formed and show all data and nothing else."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from shared.charts import COLOURS, Curve, Point, from_zero, histogram, plot, stacked


def drawn(*curves: Curve, **how: object) -> ElementTree.Element:
    labels = {"x": "a < b", "y": "ms & more"}
    return ElementTree.fromstring(plot(curves, **{**labels, **how}))  # type: ignore[arg-type]


def lines(root: ElementTree.Element) -> list[list[Point]]:
    found = [line.attrib["points"].split() for line in root.findall(".//polyline")]
    pairs = [[place.split(",") for place in line] for line in found]
    return [[(float(x), float(y)) for x, y in line] for line in pairs]


def test_labels_are_escaped() -> None:
    """The names of curves are, too."""
    root = drawn(Curve("<script> & co", [(0, 0), (1, 1)]), title='"><b>')
    assert root.tag == "svg"
    assert {"<script> & co", "a < b", "ms & more"} <= {text.text for text in root.iter("text")}
    assert root.attrib["aria-label"] == '"><b>'


def test_each_curve_has_its_line() -> None:
    """It has all its points, its name in the legend, and its own colour or dashes."""
    many = [Curve(f"curve {n}", [(0, 0), (1, 1)]) for n in range(2 * len(COLOURS))]
    root = drawn(*many)
    assert [len(line) for line in lines(root)] == [2] * len(many)
    looks = {
        (group.attrib["stroke"], line.attrib["stroke-dasharray"])
        for group in root.findall("g")
        for line in group.findall("polyline")
    }
    assert len(looks) == len(many)
    names = [text.text for text in root.findall("g/text")]
    assert names == [curve.name for curve in many]


def test_the_legend_stays_inside() -> None:
    """It wraps into rows, and the chart grows with it."""
    root = drawn(*(Curve("a long name of a process", []) for _ in range(9)))
    bottom, right = float(root.attrib["height"]), float(root.attrib["width"])
    for text in root.findall("g/text"):
        assert float(text.attrib["y"]) <= bottom
        assert float(text.attrib["x"]) < right


@pytest.mark.parametrize("gap", [math.inf, math.nan])
def test_a_value_that_is_not_finite_breaks_the_line(gap: float) -> None:
    """A single point between gaps is a dot."""
    root = drawn(Curve("p", [(0.0, 0.1), (0.1, 0.2), (0.2, gap), (0.3, 0.5), (0.4, gap)]))
    assert [len(line) for line in lines(root)] == [2]
    assert len(root.findall(".//circle")) == 1


def test_larger_values_are_drawn_higher() -> None:
    """SVG counts y downwards; the chart does not."""
    (((_, low), (_, high)),) = lines(drawn(Curve("p", [(0, 0.2), (1, 0.8)])))
    assert high < low


def test_values_outside_the_axes_are_clipped() -> None:
    """A value below the axis is not drawn over the labels."""
    (((first, _), _, (last, _)),) = lines(drawn(Curve("p", [(-5, 0.2), (0.5, 0.5), (7, 9)])))
    (((left, _), (right, _)),) = lines(drawn(Curve("p", [(0, 0), (1, 1)])))
    assert (first, last) == (left, right)


def test_steps_change_where_the_last_value_ends() -> None:
    """An error rate at a threshold holds down to the previous threshold."""
    (line,) = lines(drawn(Curve("e", [(0, 1), (0.25, 1), (1, 0)], step=True)))
    columns = [x for x, _ in line]
    assert columns[-3] == columns[-2] != columns[-1]


def test_bars_start_at_the_axis() -> None:
    """A bar's height is its share of the axis; zero has no bar."""
    root = drawn(Curve("n", [(0.25, 0.5), (0.75, 0.0)], bars=True))
    bars = [bar for bar in root.findall("g/rect") if bar.get("fill-opacity")]
    assert len(bars) == 1
    assert float(bars[0].attrib["height"]) > 0


def test_an_empty_chart_is_no_error() -> None:
    """It has no curve, or a curve without points."""
    assert not lines(drawn())
    assert not lines(drawn(Curve("p", [])))


def test_histogram_counts_every_value() -> None:
    """Values at both ends belong to the outer bins; shares sum up to one."""
    bins = histogram([0.0, 0.05, 0.5, 1.0], bins=10)
    assert [share for _, share in bins] == [0.5, 0, 0, 0, 0, 0.25, 0, 0, 0, 0.25]
    assert bins[0][0] == 0.05


@pytest.mark.parametrize(
    ("end", "labels"),
    [(31, "0 10 20 30"), (1, "0 0.2 0.4 0.6 0.8 1"), (3600, "0 1 000 2 000 3 000"), (0, "0")],
)
def test_labels_are_round_numbers(end: float, labels: str) -> None:
    """This holds for any axis, even one of length 0."""
    root = drawn(x_range=(0.0, end))
    found = [text.text for text in root.findall("text") if text.get("text-anchor") == "middle"]
    assert " ".join(filter(None, found[: -len(("x", "y"))])) == labels


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([], 1), ([0], 1), ([math.inf], 1), ([3, math.nan, 7], 8), ([1.0], 1), ([1.01], 1.2),
        ([240], 250), ([5e-4], 5e-4), ([9.9999999e5], 1e6), ([-3.0], 1),
    ],
)  # fmt: skip
def test_an_axis_ends_at_a_round_number(values: list[float], most: float) -> None:
    """It is not below any value, and little above the largest."""
    assert from_zero(values) == (0, pytest.approx(most))


def test_a_stacked_bar_shows_each_share_once() -> None:
    """Side by side, with widths in proportion, labels escaped, and a legend."""
    root = ElementTree.fromstring(stacked([("a & b", (0.25, 0.5, 0.25))], ["yes", "<no>", "?"]))
    bars = [(float(one.attrib["x"]), float(one.attrib["width"])) for one in root.findall("rect")]
    widths = [width for _, width in bars]
    assert [width / sum(widths) for width in widths] == pytest.approx([0.25, 0.5, 0.25])
    assert bars[1][0] == pytest.approx(bars[0][0] + bars[0][1])
    assert [text.text for text in root.iter("text")] == ["a & b", "yes", "<no>", "?"]
    assert {one.text for one in root.iter("title")} == {"yes: 25.0%", "<no>: 50.0%", "?: 25.0%"}
