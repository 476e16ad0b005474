"""``lunapass load`` against a real service: the clients' counts match those of the service."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import lunapass
from tests.support.service import ROOT, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images; the stamp backend accepts those from the 20th on."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(14, 24):
        (folder / f"{number}.jpg").write_bytes(stamped_jpeg(1, number))
    return folder


def load(service: Service, folder: Path, pictures: Path, *options: str) -> str:
    return subprocess.run(
        [
            *(sys.executable, "-m", "lunapass", "load", service.url),
            *("--pictures", str(pictures), "--gallery", str(folder / "gallery")),
            *("--output", str(folder), "--prepare", "0", *options),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


@dataclass
class Run:
    """A run of the load test.

    Attributes:
        folder: its reports.
        before: counts of the service before the run.
        after: counts of the service after it.
    """

    folder: Path
    before: dict[str, Any]
    after: dict[str, Any]

    def counted(self, section: str, name: str) -> int:
        """Return by how much the run has increased a count."""
        return int(self.after[section][name] - self.before[section][name])


@pytest.fixture(scope="module")
def run(service: Service, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with two client processes and broken connections."""
    folder = tmp_path_factory.mktemp("load")
    before = service.get("/statistics").json()
    printed = load(
        service, folder, pictures,
        *("--people", "6", "--seconds", "5", "--fps", "8", "--think", "0.2"),
        *("--breaks", "0.5", "--processes", "2"),
    )  # fmt: skip
    assert "latency p95 ms" in printed
    return Run(folder, before, service.get("/statistics").json())


def test_a_run_reports_what_the_service_counted(run: Run) -> None:
    """Frames and sessions agree, and every person ended once."""
    report: dict[str, Any] = json.loads((run.folder / "report.json").read_text())
    whole = report["whole"]
    sessions = whole["sessions"]
    assert sessions["failed"] == {}
    ended = sessions["accepted"] + sessions["refused"] + sessions["left"]
    assert sessions["begun"] == ended > 0
    frames = whole["frames"]
    assert frames["sent"] == frames["judged"] + sum(frames["dropped"].values())
    # If the run ends before a verdict arrives, the report counts the session as left.
    assert 0 < sessions["accepted"] <= run.counted("sessions", "accepted")
    assert ended == sum(run.counted("sessions", end) for end in ("accepted", "refused", "left"))
    assert whole["frames"]["sent"] >= run.counted("frames", "received") > 0
    assert 0 < whole["frames"]["judged"] <= run.counted("frames", "judged")
    assert set(report["service"]["memoryMegabytes"]) >= {"gateway", "aggregator", "worker-0"}
    assert len(report["seconds"]) >= 5


def test_a_latency_above_the_limit_fails_the_run(
    service: Service, pictures: Path, tmp_path: Path
) -> None:
    """Exit status 1 and a line that says why, with the reports written as usual."""
    with pytest.raises(subprocess.CalledProcessError) as failed:
        load(
            service, tmp_path, pictures,
            *("--people", "1", "--seconds", "2", "--fail-above", "p50=0.001ms"),
        )  # fmt: skip
    assert failed.value.returncode == 1
    # On a busy machine no frame may be judged in time, which fails, too.
    assert re.search(r"^p50 is .*0\.001ms", failed.value.stderr, re.M)
    assert (tmp_path / "report.json").exists()


def test_the_page_is_self_contained(run: Run) -> None:
    """It is one file without scripts or external resources, and has all its charts."""
    page = (run.folder / "report.html").read_text()
    for word in ("<script", "src=", "href=", "@import", "url("):
        assert word not in page
    assert page.count("<svg") >= 5
    assert page.count("<polyline") >= 6


def test_people_arrive_at_random_times(service: Service, pictures: Path, tmp_path: Path) -> None:
    """With arrivals the number of people is a result, about rate times seconds (40)."""
    load(
        service, tmp_path, pictures,
        *("--arrivals", "--people", "10", "--seconds", "4", "--fps", "10"),
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    assert 15 <= report["whole"]["sessions"]["begun"] <= 70
    assert report["whole"]["sessions"]["failed"] == {}


def test_ctrl_c_ends_with_a_report(service: Service, pictures: Path, tmp_path: Path) -> None:
    """Clients disconnect, the report says when it was stopped, and no traceback is shown."""
    command = [
        *(sys.executable, "-m", "lunapass", "load", service.url),
        *("--pictures", str(pictures), "--gallery", str(tmp_path / "gallery")),
        *("--output", str(tmp_path), "--seconds", "600", "--people", "2", "--processes", "2"),
    ]
    playing = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    received = service.get("/statistics").json()["frames"]["received"]
    while service.get("/statistics").json()["frames"]["received"] < received + 10:
        assert playing.poll() is None
        time.sleep(0.1)
    os.killpg(playing.pid, signal.SIGINT)  # a terminal signals the client processes, too
    printed = playing.communicate(timeout=60)[0]
    assert playing.returncode == 0, printed
    assert "Traceback" not in printed
    assert "Stopped after" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["stopped"]
    sessions = report["whole"]["sessions"]
    assert sessions["begun"] == sum(sessions[end] for end in ("accepted", "refused", "left")) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ws://127.0.0.1:9/ws"], "Connection refused"),
        (["http://127.0.0.1/ws"], "allowed is ws://"),
        (["ws://[::1/ws"], "allowed is ws://"),
        (["--people", "nan"], "not a number"),
        (["--fps", "-1"], "not in the range"),
        (["--processes", "0"], "not in the range"),
        (["--find-capacity", "--arrivals"], "remove --arrivals"),
        (["--bound", "100"], "remove --bound"),
        (["--gallery", "/proc/here/gallery"], "gallery /proc/here/pictures: cannot be written"),
        (["--start-token", __file__], "not TOML"),
        (["--output", "/proc/reports"], "--output /proc/reports: cannot write there"),
        (["--gallery", __file__], "not a gallery"),
        (["--pictures", str(Path(__file__).parent)], "found no file that ends in"),
    ],
)
def test_invalid_options_are_reported_in_one_line(
    pictures: Path, arguments: list[str], said: str
) -> None:
    """This happens before the load starts, with exit status 2."""
    if __file__ not in arguments and "--pictures" not in arguments:
        arguments = [*arguments, "--pictures", str(pictures)]
    result = lunapass("load", *arguments, folder=pictures)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_service_is_idle_afterwards(service: Service) -> None:
    """Every slot is free and no session is undecided."""

    def is_quiet() -> bool:
        result = service.get("/statistics").json()
        free = result["slots"]["free"] == result["slots"]["total"]
        return free and not result["sessions"]["undecided"]

    wait_for(is_quiet)
