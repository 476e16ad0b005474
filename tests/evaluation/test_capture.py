"""A labelled set is recorded step by step from FileLogger's folders."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.capture import SPECIES, Capture, plan_capture
from evaluation.folders import read_folders
from shared.errors import ResourceError
from tests.evaluation.estimates import estimate
from tests.evaluation.logs import write_session


class Kiosk:
    """An operator who follows the requests: each one leads to a new session."""

    def __init__(self, logs: Path, answers: dict[int, str] | None = None) -> None:
        self.logs = logs
        self.requests: list[str] = []
        self.lines: list[str] = []
        self._answers = answers or {}

    def ask(self, request: str) -> str:
        self.requests.append(request)
        number = len(self.requests)
        if number not in self._answers:
            files = ["000001.jpg", "000002.jpg"]
            frames = [estimate()] * 2
            folder = write_session(self.logs, number, frames, accepted=True, files=files)
            for name in (*files, "bestshot.jpg"):
                (folder / name).write_bytes(b"image")
        return self._answers.get(number, "")


Record = Callable[..., Kiosk]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Record two sessions each of anna live, a print of anna and a print of a portrait."""

    def recorded(answers: dict[int, str] | None = None) -> Kiosk:
        logs = tmp_path / "LOGS"
        logs.mkdir(exist_ok=True)
        kiosk = Kiosk(logs, answers)
        steps = plan_capture(["anna"], ["female-001"], ["print in a hand"], 2)
        Capture(logs, tmp_path / "set", kiosk.ask, kiosk.lines.append).run(steps)
        return kiosk

    return recorded


def labels(folder: Path) -> list[tuple[str, str]]:
    return sorted((one.species, one.subject) for one in read_folders(folder, frozenset()))


def test_sessions_are_stored_where_evaluate_reads_them(record: Record, tmp_path: Path) -> None:
    """Species and subject are those of the step; only the service's user and root can read them."""
    kiosk = record()
    print_in_hand = "print in a hand"
    assert labels(tmp_path / "set") == sorted(
        [("", "anna"), (print_in_hand, "anna"), (print_in_hand, "female-001")] * 2
    )
    assert kiosk.requests[0].startswith("[1/3] live: anna in person, 2 to do.")
    assert kiosk.requests[-1].startswith("[3/3] attack: print in a hand, of female-001, 1 to do.")
    assert "with 2 frames; the session was accepted." in kiosk.lines[0]
    folder = tmp_path / "set" / "live" / "anna"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (first, *_) = sorted(folder.iterdir())
    assert sorted(file.name for file in first.iterdir()) == [
        "000001.jpg",
        "000002.jpg",
        "bestshot.jpg",
        "session.jsonl",
    ]


def test_a_stopped_capture_continues(record: Record, tmp_path: Path) -> None:
    """It asks only for the missing sessions."""
    record({4: "q"})
    assert len(labels(tmp_path / "set")) == 3
    (tmp_path / "LOGS").rename(tmp_path / "old")
    kiosk = record()
    assert len(kiosk.requests) == 3
    assert "1 to do" in kiosk.requests[0]
    assert len(labels(tmp_path / "set")) == 6


def test_a_step_can_be_skipped(record: Record, tmp_path: Path) -> None:
    """For example, there may be no tablet for it."""
    record({3: " S"})
    assert ("print in a hand", "anna") not in labels(tmp_path / "set")
    assert len(labels(tmp_path / "set")) == 4


def test_nothing_is_labelled_without_a_new_session(record: Record, tmp_path: Path) -> None:
    """If Enter is pressed too early, it asks again; older sessions belong to no step."""
    write_session(tmp_path / "LOGS", 999, [estimate()], accepted=True)
    kiosk = record({1: ""})
    assert "no new session" in kiosk.lines[0]
    assert len(labels(tmp_path / "set")) == 6


def test_every_person_presents_every_species() -> None:
    """Portraits are used only in attacks."""
    steps = plan_capture(["a", "b"], ["c"], SPECIES, 1)
    assert [one.folder.parts[:2] for one in steps[:2]] == [("live", "a"), ("live", "b")]
    assert len(steps) == 2 + 10 * 3
    assert not any(one.subject == "c" and not one.species for one in steps)


@pytest.mark.parametrize("name", ["", " ", ".", "..", ".a", "a/b", "a\0", "live"])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    """Nothing is written outside the set."""
    for people, species in (([name], ["print"]), (["a"], [name])):
        with pytest.raises(ResourceError, match="expected one that a folder can have"):
            plan_capture(people, [], species, 1)
