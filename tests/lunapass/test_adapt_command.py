"""``lunapass adapt`` writes a head that the service accepts, or explains why it does not."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from inference_pool.onnx.site_head import SiteHeadFile
from loadtest.synthetic.sensor import with_noise
from lunapass.commands import adapt
from lunapass.start_check import check_start
from shared.config.loading import load
from shared.errors import ResourceError
from shared.frame.estimation import Image


@pytest.fixture(autouse=True)
def needs_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn (extra adapt) is not installed")


@pytest.fixture
def config(tmp_path: Path, models_directory: Path) -> Path:
    path = tmp_path / "lunapass.toml"
    path.write_text(f'[MODELS]\ndirectory = "{models_directory}"\nprovider = "cpu"\n')
    return path


def write_people(folder: Path, portrait: Image, *, frames: int, seed: int) -> Path:
    """Write noisy frames of the portrait, upright and mirrored, as two people."""
    chance = np.random.default_rng(seed)
    small = cv2.resize(portrait, (320, 240), interpolation=cv2.INTER_AREA)
    for name, image in (("anna", small), ("mirrored", small[:, ::-1])):
        (folder / name).mkdir(parents=True)
        for number in range(frames):
            noisy = with_noise(np.ascontiguousarray(image), chance)
            cv2.imwrite(str(folder / name / f"{number}.jpg"), noisy)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(adapt.command, [str(one) for one in arguments])


def test_head_is_written_and_used(
    tmp_path: Path, config: Path, portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training, report, a check that finds no gain, and a start with the head."""
    monkeypatch.setattr(adapt, "MIN_FRAMES", 4)
    live = write_people(tmp_path / "live", portrait, frames=2, seed=1)
    common = ("--live", live, "--recaptures", 1, "--config", config)
    head, page = tmp_path / "head.json", tmp_path / "report.html"
    result = run(*common, "--out", head, "--html", page)
    assert result.exit_code == 0, result.output
    assert "4 live frames of 2 people" in result.output
    assert f"wrote {head}" in result.output
    text = page.read_text()
    assert text.count("<svg") == 2
    assert text.count("data:image/jpeg;base64,") == 6
    config.write_text(config.read_text() + f'siteHead = "{head}"\n')
    check_start(load(config), config)
    again = tmp_path / "again.json"
    run(*common, "--out", again)
    assert SiteHeadFile.read(again) == SiteHeadFile.read(head)

    labelled = tmp_path / "labelled"
    write_people(labelled / "live", portrait, frames=1, seed=2)
    write_people(labelled / "attack" / "print", portrait // 9, frames=1, seed=2)
    refused = run(*common, "--out", tmp_path / "no.json", "--check", labelled, "--json", page)
    assert refused.exit_code == 1, refused.output
    assert "Do not use this head" in refused.output
    assert not (tmp_path / "no.json").exists()
    assert json.loads(page.read_text())["check"]["helps"] is False


def test_too_few_frames_are_an_error(tmp_path: Path, config: Path, portrait: Image) -> None:
    """The error counts what was found and says what was unusable."""
    live = write_people(tmp_path / "live", portrait, frames=1, seed=1)
    blank = np.full((240, 320, 3), 90, np.uint8)
    cv2.imwrite(str(live / "anna" / "blank.png"), blank)
    result = run("--live", live, "--recaptures", 1, "--config", config)
    assert isinstance(result.exception, ResourceError)
    for part in ("found 2 usable frames of 2 people", "at least 30", "1 with code 8"):
        assert part in str(result.exception)


def test_images_without_a_person_are_refused(tmp_path: Path, config: Path, portrait: Image) -> None:
    """A cross-validation needs to know whose images they are."""
    cv2.imwrite(str(tmp_path / "frame.jpg"), portrait)
    result = run("--live", tmp_path, "--config", config)
    assert isinstance(result.exception, ResourceError)
    assert "give each person a folder" in str(result.exception)
