"""Folders of FileLogger: the reader returns everything that was written."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.frame.estimation import Box, Estimate, HeadPose, Liveness, Profile, Stage
from shared.session_log import (
    FILE,
    estimate_json,
    estimate_of,
    folders,
    image_name,
    read_session,
)
from tests.support.events import ESTIMATE

OPENED = {
    "event": "opened",
    "session": "0" * 32,
    "at": 1.5,
    "mirrored": True,
    "client": {"a": [1]},
    "version": "1.0",
}


def write(folder: Path, *lines: object, tail: bytes = b"") -> Path:
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    (folder / FILE).write_bytes(text + tail)
    return folder


UNIT = st.floats(0, 1)
ESTIMATES = st.builds(
    partial(replace, ESTIMATE),
    profile=st.sampled_from(Profile),
    stage=st.sampled_from(Stage),
    errors=st.lists(st.integers(1, 2000)).map(tuple),
    face=st.none() | st.builds(Box, *[st.integers(0, 4096)] * 4),
    head_pose=st.none() | st.builds(HeadPose, *[st.floats(-180, 180)] * 3),
    liveness=st.none() | st.builds(Liveness, UNIT, UNIT),
    ags=st.none() | UNIT,
    descriptor=st.none() | st.binary(max_size=64),
    timings=st.dictionaries(st.text(max_size=8), st.floats(0, 1e9)),
)


@given(ESTIMATES)
def test_an_estimate_survives_json(estimate: Estimate) -> None:
    """This includes every field of any estimate, even the descriptor's bytes."""
    assert estimate_of(json.loads(json.dumps(estimate_json(estimate)))) == estimate


def test_each_measurement_has_its_documented_name() -> None:
    """The docs list the names."""
    written = estimate_json(ESTIMATE)
    assert written["liveness"] == {"score": 0.4, "quality_score": 0.8, "moire": 0.0}
    assert written["head_pose"] == {"yaw": 1.25, "pitch": -2.5, "roll": 0.0}
    assert written["face"] == {"x": 100, "y": 90, "width": 200, "height": 240}
    assert isinstance(written["descriptor"], str)


def test_a_running_session_is_read(tmp_path: Path) -> None:
    """It has no end, and its last line may be incomplete; the rest is read."""
    frame = {"event": "frame", "seq": 3, "at": 2.0, "file": None, "errors": [8]}
    frame["estimate"] = estimate_json(ESTIMATE)
    log = read_session(write(tmp_path, OPENED, frame, tail=b'{"event": "fra'))
    assert (log.at, log.mirrored, log.client, log.version) == (1.5, True, {"a": [1]}, "1.0")
    (read,) = log.frames
    assert (read.seq, read.file, read.errors, read.estimate) == (3, None, (8,), ESTIMATE)
    assert log.verdict is None


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ({"event": "frame"},),
        (OPENED, {"event": "other"}),
        (OPENED, []),
        (OPENED, {}),
        (5,),
        (None,),
    ],
    ids=["empty", "no beginning", "unknown event", "no object", "no event", "a number", "null"],
)
def test_a_foreign_file_is_named(tmp_path: Path, lines: tuple[object, ...]) -> None:
    """The error names a file that FileLogger did not write."""
    with pytest.raises(ValueError, match=FILE):
        read_session(write(tmp_path, *lines))


@pytest.mark.parametrize("file", ["", ".", "..", "../1.jpg", "/1.jpg", "a/1.jpg", "1\0.jpg", 1])
def test_images_are_inside_the_folder(tmp_path: Path, file: object) -> None:
    """A damaged or forged log cannot name another file or the folder itself."""
    frame = {"event": "frame", "seq": 1, "at": 2.0, "file": file, "errors": []}
    frame["estimate"] = estimate_json(ESTIMATE)
    with pytest.raises(ValueError, match=FILE):
        read_session(write(tmp_path, OPENED, frame))


def test_only_folders_of_sessions_are_found(tmp_path: Path) -> None:
    """Other entries are ignored."""
    for name in ("f" * 32, "0" * 32, "notes", "F" * 32, "0" * 33):
        (tmp_path / name).mkdir()
    assert [folder.name for folder in folders(tmp_path)] == ["0" * 32, "f" * 32]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\xd8\xff", "000007.jpg"),
        (b"\x89PNG\r\n", "000007.png"),
        (b"RIFF....WEBP", "000007.webp"),
        (b"MZ", "000007.bin"),
    ],
)
def test_a_file_is_named_by_number_and_content(data: bytes, name: str) -> None:
    """No text of a client becomes part of a name."""
    assert image_name(7, data) == name
