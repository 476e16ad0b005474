from __future__ import annotations

import xml.etree.ElementTree as ET

from evaluation.svg import Curve, histogram, plot


def test_histogram_counts_every_value() -> None:
    """Values at both ends belong to the outer bins; shares add up to one."""
    bins = histogram([0.0, 0.05, 0.5, 1.0], bins=10)
    assert [share for _, share in bins] == [0.5, 0, 0, 0, 0, 0.25, 0, 0, 0, 0.25]
    assert bins[0][0] == 0.05


def test_plot_is_well_formed_and_escaped() -> None:
    """Whatever a curve is called, the plot is one XML element that holds the name as text."""
    drawn = plot([Curve("<b> & co", [(0, 0), (1, 1)])], x="a < b", y="&", marks=[0.5])
    root = ET.fromstring(drawn)
    assert root.tag == "svg"
    assert "<b> & co" in [element.text for element in root.iter("text")]


def test_steps_change_where_the_last_value_ends() -> None:
    """An error rate at a threshold holds down to the threshold before."""
    drawn = plot([Curve("e", [(0, 1), (0.25, 1), (1, 0)], step=True)], x="t", y="e")
    path = ET.fromstring(drawn).findall("path")[-1].attrib["d"]
    columns = [point.split()[0] for point in path.replace("M", "L").split("L")[1:]]
    assert columns[-3] == columns[-2] != columns[-1]


def test_bars_stand_on_the_axis() -> None:
    """A bar's height is its share of the axis; nothing is drawn for none."""
    drawn = plot([Curve("n", [(0.25, 0.5), (0.75, 0.0)], bars=True)], x="v", y="n")
    bars = ET.fromstring(drawn).findall("rect")[1:]
    assert len(bars) == 1
    assert float(bars[0].attrib["height"]) > 0
