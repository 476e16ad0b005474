"""Charts are well-formed and show what is there."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from loadtest.svg import line_chart


def drawn(**series: list[tuple[float, float]]) -> ElementTree.Element:
    return ElementTree.fromstring(line_chart("Latency <b>", "ms & more", series))


def test_text_is_escaped() -> None:
    """Titles and names are text, whatever is in them."""
    figure = ElementTree.fromstring(line_chart("<b>", "&", {"<script>": [(0.0, 1.0)]}))
    assert figure.find(".//script") is None
    caption = figure.find("figcaption")
    assert caption is not None
    assert caption.text == "<b>, &"


def test_each_series_has_its_line() -> None:
    """With all its points, and a legend."""
    figure = drawn(p50=[(0.0, 1.0), (1.0, 2.0)], p95=[(0.0, 5.0), (1.0, 6.0)])
    lines = figure.findall(".//polyline")
    assert [len((line.get("points") or "").split()) for line in lines] == [2, 2]
    assert len(figure.findall(".//span")) == 2


def test_a_value_that_is_not_finite_breaks_the_line() -> None:
    """Rather than being drawn as something else."""
    points = [(0.0, 1.0), (1.0, math.inf), (2.0, 3.0), (3.0, math.nan), (4.0, 2.0)]
    assert len(drawn(p50=points).findall(".//polyline")) == 3


def test_higher_is_higher() -> None:
    """SVG counts y downwards; the chart does not."""
    line = drawn(x=[(0.0, 1.0), (1.0, 2.0)]).find(".//polyline")
    assert line is not None
    (_, low), (_, high) = (map(float, p.split(",")) for p in (line.get("points") or "").split())
    assert high < low


def test_nothing_is_drawn_of_nothing() -> None:
    """An empty series does not fail."""
    assert not drawn(x=[]).findall(".//polyline")
