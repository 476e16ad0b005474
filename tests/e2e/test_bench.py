"""The tools of the benchmarks, on a service with known answers; figures are not judged here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks import document
from benchmarks.__main__ import BENCHMARKS, rows
from benchmarks.cpu import WORK_STEPS, mean_us
from benchmarks.driver import Seen, at_random, evenly, on_schedule, saturate, to_service
from benchmarks.plumbing import cpu
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

SHOTS = [partial(stamped_jpeg, 1, number) for number in range(8)]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running("[LIMITS]\nframesPerSecond = 500\nframeBurst = 500") as started:
        yield started


async def test_a_schedule_is_kept(service: Service) -> None:
    """Every frame is judged, and only warm-up frames are left out."""
    seen = await on_schedule(to_service(service.url), 4, SHOTS, evenly(10, 2), seconds=2)
    assert seen.lost == 0
    assert len(seen.milliseconds) == 15
    assert seen.percentile(0.5) <= seen.percentile(0.99)


def test_random_arrivals_have_the_rate_and_follow_the_seed() -> None:
    """All compared services get equal load: exactly the same times."""
    dues = at_random(40, 50, seed=3)
    assert dues == at_random(40, 50, seed=3) != at_random(40, 50, seed=4)
    assert 0.9 < len(dues) / 2000 < 1.1
    assert dues == sorted(dues)
    assert dues[-1] < 50


async def test_saturation_is_faster_than_a_slow_schedule(service: Service) -> None:
    """Its connections wait only for answers, so they exceed twice a slow schedule."""
    slow = await on_schedule(to_service(service.url), 4, SHOTS, evenly(2, 2), seconds=2)
    seen = await saturate(to_service(service.url), 4, SHOTS, seconds=2)
    assert seen.fps > 2 * slow.fps
    assert seen.lost == 0


def test_lost_frames_are_late() -> None:
    """Losing frames does not make a service faster."""
    seen = Seen(1.0, milliseconds=[1.0] * 98)
    assert seen.percentile(0.99) == 1.0
    seen.lost = 2
    assert seen.percentile(0.98) == 1.0
    assert seen.percentile(0.99) == math.inf
    assert Seen().percentile(0.5) == math.inf


async def test_processor_time_is_reported_by_step(service: Service) -> None:
    """All steps that the tables name are reported."""
    await saturate(to_service(service.url), 4, SHOTS, seconds=1.5)
    means = mean_us(service)
    for role, steps in WORK_STEPS.items():
        assert all(means[role][step] > 0 for step in steps), role
    used = cpu(service.pids("gateway")[0])
    assert used.main_thread > 0


def test_every_benchmark_can_be_run() -> None:
    """Names in the table of benchmarks are modules with ``run``."""
    for module in BENCHMARKS.values():
        assert callable(__import__(module, fromlist=["run"]).run)


def test_results_become_rows() -> None:
    """The name of a nested figure is its path."""
    assert rows({"a": {"b": 1.23456, "c": [2, {"d": "x"}]}}) == [
        ("a b", "1.235"),
        ("a c 1", "2"),
        ("a c 2 d", "x"),
    ]


def test_results_are_written_between_the_marks(tmp_path: Path) -> None:
    """This works twice, and missing measurements become a dash."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{document.BEGIN}\nold\n{document.END}\nafter\n")
    machine = {"cpus": 2, "cpu": "x", "workers": 1, "load_before": 0.1}
    for efficiency in (0.5, 0.975):
        document.write({"machine": machine, "efficiency": efficiency}, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| pipeline over bare loop | 0.975 | at least 0.93 |" in text
    assert "old" not in text
    assert "| estimation over its models bare | - |" in text


def test_the_page_has_the_marks() -> None:
    """The documented page can be filled."""
    text = document.PAGE.read_text()
    assert text.index(document.BEGIN) < text.index(document.END)
