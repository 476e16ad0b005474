"""Sessions of a labelled set: folders of images, videos, folders of FileLogger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from evaluation.folders import FolderReader, read_folders
from shared.errors import ResourceError
from shared.frame.estimation import Image
from tests.evaluation.estimates import estimate
from tests.evaluation.logs import write_session

VIDEOS = frozenset({".mp4"})


def numbered(path: Path, rotation: int = 0) -> Iterator[Image]:
    """Stands in for a decoder: an image whose pixels are the number in the file's name."""
    yield np.full((2, 2, 3), int(path.stem), np.uint8)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_of_images_is_a_session(tmp_path: Path) -> None:
    """The folder above it names the subject. A video is a session, too."""
    touch(
        tmp_path, "live/anna/1/1.jpg", "live/anna/1/2.jpg", "live/anna/2/1.png", "live/bert/1.jpg"
    )
    touch(tmp_path, "attack/print/anna/1/1.jpg", "attack/phone/3/1.jpg", "attack/phone/x.mp4")
    found = {one.name: (one.species, one.subject) for one in read_folders(tmp_path, VIDEOS)}
    assert found == {
        "live/anna/1": ("", "anna"),
        "live/anna/2": ("", "anna"),
        "live/bert": ("", "live/bert"),
        "attack/print/anna/1": ("print", "anna"),
        "attack/phone/3": ("phone", "attack/phone/3"),
        "attack/phone/x.mp4": ("phone", "attack/phone/x.mp4"),
    }


def test_a_table_names_folders(tmp_path: Path) -> None:
    """Its columns give species and subject; a single image is no session."""
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    table = tmp_path / "set.csv"
    table.write_text("path,label,species,subject\na,live,,anna\nb,attack,print,anna\n")
    assert [(one.species, one.subject) for one in read_folders(table, VIDEOS)] == [
        ("", "anna"),
        ("print", "anna"),
    ]
    table.write_text("path,label\na/1.jpg,live\n")
    with pytest.raises(ResourceError, match=r"a/1\.jpg: is in no folder of its own"):
        read_folders(table, VIDEOS)


def test_images_without_a_folder_of_their_own_are_refused(tmp_path: Path) -> None:
    """Frames of different sessions must not be mixed."""
    touch(tmp_path, "live/1.jpg")
    with pytest.raises(ResourceError, match="put the frames of each session into one"):
        read_folders(tmp_path, VIDEOS)


def test_frames_are_sorted_by_number(tmp_path: Path) -> None:
    """2.jpg comes before 10.jpg; the times follow the frame rate and ``every``."""
    touch(tmp_path, "10.jpg", "2.jpg", "1.jpg")
    reader = FolderReader(numbered, lambda path: 25.0, fps=5.0, every=2)
    assert [int(image[0, 0, 0]) for image in reader.images(tmp_path)] == [1, 2, 10]
    assert reader.times(tmp_path, 2) == pytest.approx([0.0, 0.4])
    assert reader.times(tmp_path / "10.jpg", 2) == pytest.approx([0.0, 0.08])


def test_a_logged_session_has_its_own_times(tmp_path: Path) -> None:
    """They are the times at which its frames arrived."""
    files = ["000001.jpg", None, "000003.jpg"]
    folder = write_session(tmp_path, 1, [estimate()] * 3, accepted=False, files=files)
    reader = FolderReader(numbered, lambda path: 25.0, fps=5.0)
    assert reader.times(folder, 2) == [2.0, 4.0]


def test_a_logged_session_may_be_renamed(tmp_path: Path) -> None:
    """Its log still says which images are its frames, and when they arrived."""
    files = ["000001.jpg", "000002.jpg"]
    logged = write_session(tmp_path / "set", 1, [estimate()] * 2, accepted=True, files=files)
    folder = tmp_path / "set" / "live" / "anna" / "visit 1"
    folder.parent.mkdir(parents=True)
    logged.rename(folder)
    touch(folder, *files, "bestshot.jpg")
    (session,) = read_folders(tmp_path / "set", VIDEOS)
    assert (session.path, session.subject) == (folder, "anna")
    reader = FolderReader(numbered, lambda path: 25.0, fps=5.0)
    assert [int(image[0, 0, 0]) for image in reader.images(folder)] == [1, 2]
    assert reader.times(folder, 2) == [2.0, 3.0]
