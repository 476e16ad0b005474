from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from lunapass.commands.check import CheckedFrame, _row, command
from shared.codes import Code, hint
from shared.frame.estimation import Estimate, Image, Profile


@pytest.fixture
def picture(tmp_path: Path, portrait: Image) -> Path:
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), portrait)
    return path


@pytest.fixture
def config(tmp_path: Path, models_directory: Path) -> Path:
    path = tmp_path / "lunapass.toml"
    path.write_text(f'[MODELS]\ndirectory = "{models_directory}"\nprovider = "cpu"\n')
    return path


def check(config: Path, *arguments: str | Path) -> Result:
    words = [str(argument) for argument in ("--config", config, *arguments)]
    return CliRunner().invoke(command, words, catch_exceptions=False)


def records(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_good_portrait_as_json(config: Path, picture: Path) -> None:
    """A frame is one line of JSON with its verdict and every measurement."""
    result = check(config, picture, "--json")
    (record,) = records(result)
    assert result.exit_code == 0
    assert (record["file"], record["isOk"], record["errors"]) == (str(picture), True, [])
    assert (record["stage"], record["glasses"]) == ("liveness", "no_glasses")
    assert {"yaw", "pitch", "roll"} == set(record["head_pose"])
    assert record["liveness"]["score"] > 0.5


def test_continues_after_a_failure_by_default(
    config: Path, tmp_path: Path, portrait: Image
) -> None:
    """By default everything is measured; with --until-failure it stops as a worker does."""
    cv2.imwrite(str(tmp_path / "small.png"), cv2.resize(portrait, (320, 240)))
    (full,) = records(check(config, tmp_path / "small.png", "--json"))
    (early,) = records(check(config, tmp_path / "small.png", "--json", "--until-failure"))
    narrow = int(Code.FACE_TOO_NARROW)
    assert full["errors"] == early["errors"]
    assert full["errors"][0] == {"code": narrow, "hint": hint(narrow), "finding": hint(narrow)}
    assert full["stage"] == early["stage"] == "position"
    assert full["liveness"] is not None
    assert early["head_pose"] is None


def test_table_names_file_verdict_and_hint(config: Path, picture: Path, tmp_path: Path) -> None:
    """The table is readable without a list of codes."""
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((480, 640, 3), 127, np.uint8))
    result = check(config, picture, tmp_path / "wall.png")
    good, bad = result.stdout.splitlines()[1:]
    assert good.split()[:2] == ["portrait.png", "ok"]
    assert bad.startswith("wall.png")
    assert f"8 {hint(Code.NO_FACE)}" in bad


def test_unreadable_file_is_reported_and_the_others_are_judged(
    config: Path, picture: Path, tmp_path: Path
) -> None:
    """An invalid image gets its code; the others are judged; the exit status shows it."""
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    result = check(config, tmp_path / "broken.jpg", picture, "--json")
    broken, good = records(result)
    assert result.exit_code == 1
    assert broken["refused"] == "the frame is neither JPEG, PNG nor WebP"
    assert good["refused"] is None
    assert broken["errors"][0]["code"] == Code.FRAME_UNDECODABLE
    assert good["isOk"]


def test_active_profile_stops_at_the_eyes(config: Path, picture: Path) -> None:
    """The profile of frames with an action can be selected."""
    (record,) = records(check(config, picture, "--json", "--profile", "active"))
    assert (record["isOk"], record["stage"], record["mouth"]) == (True, "eyes", None)


def test_mirrored(config: Path, tmp_path: Path, portrait: Image, picture: Path) -> None:
    """An image of a selfie camera is reported with the person's own left and right."""
    cv2.imwrite(str(tmp_path / "selfie.png"), np.ascontiguousarray(portrait[:, ::-1]))
    (plain,) = records(check(config, picture, "--json"))
    (selfie,) = records(check(config, tmp_path / "selfie.png", "--json", "--mirrored"))
    assert selfie["head_pose"]["roll"] == pytest.approx(plain["head_pose"]["roll"], abs=3)


def test_files_with_different_suffixes_have_separate_drawings(
    config: Path, picture: Path, tmp_path: Path
) -> None:
    """No drawing replaces another; files with one name in two folders are refused."""
    other = picture.with_suffix(".webp")
    cv2.imwrite(str(other), cv2.imread(str(picture)))
    check(config, picture, other, "--draw", tmp_path / "drawn")
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    twice = check(config, picture, picture, "--draw", tmp_path / "drawn")
    assert twice.exit_code == 2
    assert "different names" in twice.output


def test_brackets_are_not_markup(config: Path, tmp_path: Path) -> None:
    """Names and reasons are shown unchanged."""
    (tmp_path / "photo[bold].jpg").write_bytes(b"no picture")
    assert "photo[bold].jpg" in check(config, tmp_path / "photo[bold].jpg").stdout
    frame = CheckedFrame(Path("a[/x].jpg"), 1, Estimate(0, 0, Profile.PASSIVE, errors=(1,)), "[/y]")
    Console(file=io.StringIO()).print(*_row(frame))


def test_draws_into_a_folder(config: Path, picture: Path, tmp_path: Path) -> None:
    """Each frame is written at its own size, with its measurements."""
    check(config, picture, "--draw", tmp_path / "drawn")
    (drawn,) = (tmp_path / "drawn").iterdir()
    image = cv2.imread(str(drawn))
    assert image is not None
    assert image.shape == (480, 640, 3)


def test_acceptance_on_real_images(config: Path, media: Path) -> None:
    """The live face is live and the print is not; every image has a face."""
    config.write_text(config.read_text() + "[LIMITS]\nframePixels = 3_000_000\n")
    pictures = sorted((media / "stills").glob("*.jpg")) + sorted((media / "pad").glob("*.jpg"))
    found = {Path(r["file"]).stem: r for r in records(check(config, *pictures, "--json"))}
    assert all(record["faces"] == 1 for record in found.values())
    assert found["minivision_T1_real"]["liveness"]["score"] >= 0.5
    assert found["minivision_F1_print"]["liveness"]["score"] < 0.5
    assert found["stock-emotions-a-2"]["head_pose"]["yaw"] > 3
    assert found["stock-emotions-a-3"]["head_pose"]["yaw"] < -3
