"""Which live frames are used, and what is simulated from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.adapt import observing
from evaluation.adapt.observing import Gathered, Observation, SimulationPlan, gather, spread
from evaluation.samples import LIVE, Sample, read_people
from shared.errors import FrameError, ResourceError
from shared.frame.estimation import Box, Image


class StandIn:
    """Finds a face in every image that is not black, and records the images."""

    def __init__(self) -> None:
        self.seen: list[Image] = []

    def usable_face(self, image: Image) -> Box | str:
        return Box(12, 12, 16, 16) if image.any() else "code 8"

    def observe(
        self, image: Image, subject: str, kind: str, *, simulated: bool = False
    ) -> Observation:
        self.seen.append(image)
        return Observation(subject, kind, 1.0, np.zeros(2), simulated)


def frames(path: Path) -> Iterator[Image]:
    """Yield as many grey frames as the file says; after a minus sign the file cannot be decoded."""
    text = path.read_text()
    for number in range(int(text.rstrip("-"))):
        yield np.full((40, 40, 3), 100 + number, np.uint8)
    if text.endswith("-"):
        raise FrameError("frame 3 is broken")


def people(folder: Path, **files: str) -> list[Sample]:
    for name, text in files.items():
        person = folder / name.split("_")[0]
        person.mkdir(exist_ok=True)
        (person / f"{name}.avi").write_text(text)
    return read_people(folder, frozenset({".avi"}))


def run(samples: list[Sample], plan: SimulationPlan) -> tuple[Gathered, StandIn]:
    observer: Any = StandIn()
    return gather(samples, frames, observer, plan), observer


def test_every_frame_is_used_itself_and_in_each_kind_of_recapture(tmp_path: Path) -> None:
    """Two frames, two copies of each kind; only the frames themselves are real."""
    found, _ = run(people(tmp_path, anna="2"), SimulationPlan(recaptures=2))
    kinds = Counter((one.kind, one.simulated) for one in found.observations)
    assert kinds == {
        (LIVE, False): 2,
        (LIVE, True): 4,
        ("print", True): 4,
        ("screen", True): 4,
    }
    assert (found.frames, found.recaptures) == (Counter(anna=2), 8)
    assert len(found.examples) == 3


def test_frames_per_person_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files and frames there are, every n-th frame counts."""
    monkeypatch.setattr(observing, "MAX_FRAMES", 3)
    samples = people(tmp_path, anna_a="2", anna_b="2", anna_c="2", boris="9")
    found, observer = run(samples, SimulationPlan(recaptures=1, every=2))
    assert found.frames == Counter(anna=3, boris=3)
    real = [int(image[0, 0, 0]) for image in observer.seen if np.ptp(image) == 0][-3:]
    assert real == [100, 102, 104]


def test_presentations_are_chosen_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a person's nine files it takes three, from the first to the last third."""
    monkeypatch.setattr(observing, "MAX_FRAMES", 3)
    samples = people(tmp_path, **{f"anna_{number}": "1" for number in range(9)}, boris="1")
    assert [one.path.stem for one in spread(samples)] == ["anna_0", "anna_3", "anna_6", "boris"]


def test_the_seed_determines_the_recaptures(tmp_path: Path) -> None:
    """Another seed gives others."""
    samples = people(tmp_path, anna="2")
    one, same, other = (run(samples, SimulationPlan(seed))[1].seen for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_broken_file_and_unusable_frames_are_counted(tmp_path: Path) -> None:
    """The frames before the broken one are used."""
    found, _ = run(people(tmp_path, anna="2-", boris="0-"), SimulationPlan(recaptures=1))
    assert found.frames == Counter(anna=2)
    assert found.unused == Counter({"frame 3 is broken": 2})
    assert len(found.files) == 1


def test_files_without_a_person(tmp_path: Path) -> None:
    """A flat folder does not say whose images they are."""
    (tmp_path / "a.avi").write_text("1")
    with pytest.raises(ResourceError, match="give each person a folder"):
        read_people(tmp_path, frozenset({".avi"}))
    with pytest.raises(ResourceError, match="found no sample"):
        read_people(tmp_path, frozenset({".png"}))
