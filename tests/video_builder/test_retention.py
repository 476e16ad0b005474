"""Old videos are removed from the worker's folder, by the outcome of their session."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from shared.config.retention import RetentionSection
from shared.config.video import VideoConfig, VideoSection
from shared.video_store import SessionMeta
from tests.support.clock import SettableClock
from tests.support.docs import toml_example
from video_builder.retention import PRUNE_SECONDS, StoredVideos
from video_builder.summary import SummaryWriter, facts

HOUR = 3600.0
REFUSED = SessionMeta(1000.0, 1006.0, accepted=False, errors=[32], frames_total=3)
METAS = {
    "a" * 32: replace(REFUSED, accepted=True, errors=[]),
    "b" * 32: REFUSED,
    "c" * 32: replace(REFUSED, errors=[40]),
    "d" * 32: None,
}
"""Sessions that were accepted, refused and left, and one whose end is unknown."""


def videos(folder: Path, clock: SettableClock, section: RetentionSection) -> StoredVideos:
    config = VideoConfig(VIDEO=VideoSection(directory=str(folder)), RETENTION=section)
    return StoredVideos(config, clock=clock)


def fill(folder: Path, clock: SettableClock) -> None:
    """Write videos with side files, one video without, and other files."""
    for session, meta in METAS.items():
        (folder / f"{session}.mp4").write_bytes(b"video")
        with (folder / f"{session}.json").open("w") as file:
            writer = SummaryWriter(file, facts(session, meta))
            writer.add({"seq": 1})
            writer.finish({})
    (folder / f"{'e' * 32}.mp4").write_bytes(b"video")
    for name in ("notes.json", f".{'a' * 32}.mp4.part"):
        (folder / name).write_text("x")
    for file_ in folder.iterdir():
        os.utime(file_, (clock.wall_time,) * 2)


def left(folder: Path) -> str:
    """Return the first letters of the sessions that have a file; each has both or none."""
    mp4 = {file.name[0] for file in folder.glob("[a-e]*.mp4")}
    assert {file.name[0] for file in folder.glob("[a-e]*.json")} == mp4 - {"e"}
    return "".join(sorted(mp4))


@pytest.mark.parametrize(
    ("hours", "stay"), [(0.9, "abcde"), (1.1, "abde"), (49, "ade"), (719, "ade"), (721, "")]
)
def test_videos_are_retained_by_outcome_and_age(tmp_path: Path, hours: float, stay: str) -> None:
    """With the docs' example: accepted 30 days, refused 2, left 1 hour, unknown the longest."""
    section = VideoConfig.model_validate(toml_example("operations.md", "[RETENTION]")).RETENTION
    clock = SettableClock()
    fill(tmp_path, clock)
    clock.advance(hours * HOUR)
    videos(tmp_path, clock, section).maintain()
    assert left(tmp_path) == stay
    assert [file.name for file in tmp_path.iterdir() if file.name[0] in "n."] == ["notes.json"]


def test_without_retention_videos_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The default keeps them, and removes only the unfinished file of a killed builder."""
    clock = SettableClock()
    fill(tmp_path, clock)
    clock.advance(1e9)
    videos(tmp_path, clock, RetentionSection()).maintain()
    assert left(tmp_path) == "abcde"
    assert not list(tmp_path.glob(".*"))
    videos(tmp_path / "missing", clock, RetentionSection()).maintain()
    assert caplog.text == ""


def test_a_side_file_is_read_once(tmp_path: Path) -> None:
    """A session's outcome is remembered while its video stays."""
    section = RetentionSection(accepted="30d", refused="2d", left="1h")
    clock = SettableClock()
    fill(tmp_path, clock)
    keeper = videos(tmp_path, clock, section)
    clock.advance(2 * HOUR)
    keeper.maintain()
    refused = tmp_path / f"{'b' * 32}.json"
    refused.write_text("{}")
    os.utime(refused, (clock.wall_time - 2 * HOUR,) * 2)
    clock.advance(49 * HOUR)
    keeper.maintain()
    assert left(tmp_path) == "ade"


def test_a_file_that_cannot_be_removed_does_not_keep_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor one that cannot be read: its session's end is unknown then. A line names the first."""
    clock = SettableClock()
    fill(tmp_path, clock)
    blocked, unread = tmp_path / f"{'d' * 32}.mp4", tmp_path / f"{'c' * 32}.json"
    for file in (blocked, unread):
        file.unlink()
        (file / "content").mkdir(parents=True)
        os.utime(file, (clock.wall_time,) * 2)
    clock.advance(721 * HOUR)
    section = RetentionSection(accepted="1h", refused="1h", left="1h")
    videos(tmp_path, clock, section).maintain()
    rest = sorted(file.name for file in tmp_path.glob("[a-e]*"))
    assert rest == [unread.name, blocked.name]
    assert "2 files, such as" in caplog.text


def test_a_failing_disk_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The worker continues, looks once a minute, and removes videos when the disk works again."""
    clock, folder = SettableClock(), tmp_path / "videos"
    keeper = videos(folder, clock, RetentionSection(accepted="1h", refused="1h", left="1h"))
    for _ in range(3):
        keeper.maintain()
        clock.advance(PRUNE_SECONDS)
    assert caplog.text.count("old videos are not removed") == 1
    folder.mkdir()
    fill(folder, clock)
    clock.advance(HOUR + PRUNE_SECONDS)
    keeper.maintain()
    assert left(folder) == ""
