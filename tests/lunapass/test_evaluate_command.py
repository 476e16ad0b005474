from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from loadtest.synthetic.sensor import with_noise
from lunapass.commands.evaluate import command
from shared.frame.estimation import Image, Rotation
from tests.evaluation.estimates import estimate
from tests.evaluation.logs import write_session


@pytest.fixture
def config(tmp_path: Path, models_directory: Path) -> Path:
    path = tmp_path / "lunapass.toml"
    path.write_text(f'[MODELS]\ndirectory = "{models_directory}"\nprovider = "cpu"\n')
    return path


@pytest.fixture
def labelled(tmp_path: Path, portrait: Image) -> Path:
    """Two live images of one person, an "attack" whose face is a flat drawing, a broken file."""
    folder = tmp_path / "set"
    for name in ("live/eileen", "attack/drawing"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "live/eileen/1.png"), portrait)
    cv2.imwrite(str(folder / "live/eileen/2.png"), cv2.flip(portrait, 1))
    drawing = np.full_like(portrait, 90)
    cv2.circle(drawing, (320, 240), 120, (150, 170, 220), -1)
    cv2.imwrite(str(folder / "attack/drawing/1.png"), drawing)
    (folder / "live/broken.jpg").write_bytes(b"no picture")
    return folder


def evaluate(config: Path, source: Path, *words: object) -> Result:
    cache = config.parent / "cache"
    arguments = [source, "--config", config, "--cache", cache, *words]
    return CliRunner().invoke(command, [str(word) for word in arguments], catch_exceptions=False)


def test_rates_and_report(config: Path, labelled: Path, tmp_path: Path) -> None:
    """Live images are accepted, a drawing without a face gives no response, errors are shown."""
    json_file, html_file = tmp_path / "out.json", tmp_path / "out.html"
    gates = "--fail-above", "bpcer=0", "--fail-above", "served.bpcer=0.4"
    result = evaluate(config, labelled, "--json", json_file, "--html", html_file, *gates)
    report = json.loads(json_file.read_text())
    assert result.exit_code == 0
    assert (report["bpcer"], report["served"]["bpcer"]) == (0.0, pytest.approx(1 / 3))
    assert report["development"] == 0
    assert report["served"]["apcer"] == {"drawing": 0.0}
    assert report["nonResponse"] == {"live": pytest.approx(1 / 3), "drawing": 1.0}
    assert report["counts"]["unreadable"] == 1
    assert "Quote no error rate" in " ".join(result.output.split())
    assert "<svg" in html_file.read_text()


def test_a_second_run_uses_the_cache(config: Path, labelled: Path, tmp_path: Path) -> None:
    """The same set at another threshold needs no measuring; a rate above its limit fails."""
    assert "0 of them from the cache" in evaluate(config, labelled).output
    config.write_text(config.read_text() + "[LIVENESS.THRESHOLDS]\nlivenessScore = 0.9999\n")
    more = "--fail-above", "bpcer=0.99", "--development", labelled
    again = evaluate(config, labelled, "--json", tmp_path / "again.json", *more)
    assert again.exit_code == 1
    assert "bpcer is 100.0 %; the limit is 99.0 %" in again.stderr
    assert "4 samples, 4 of them from the cache" in again.output
    report = json.loads((tmp_path / "again.json").read_text())
    assert (report["bpcer"], report["development"]) == (1.0, 4)


def test_acceptance_on_real_images(config: Path, media: Path, tmp_path: Path) -> None:
    """The live face is accepted and the paper print is not; the worst error is shown."""
    table = tmp_path / "set.csv"
    rows = [f"{media}/pad/minivision_T1_real.jpg,live,", f"{media}/stills/src_man1.jpg,live,"]
    rows.append(f"{media}/pad/minivision_F1_print.jpg,attack,print")
    table.write_text("path,label,species\n" + "\n".join(rows))
    evaluate(config, table, "--json", tmp_path / "o.json", "--html", tmp_path / "o.html")
    report = json.loads((tmp_path / "o.json").read_text())
    scores = {Path(one["path"]).stem: one["score"] for one in report["presentations"]}
    assert scores["minivision_T1_real"] > 0.9 > 0.3 > scores["minivision_F1_print"]
    assert report["apcer"] == {"print": 0.0}


def test_logged_session_is_measured_again(config: Path, tmp_path: Path, portrait: Image) -> None:
    """FileLogger's folder counts as one presentation, with its images rotated as they were then."""
    turns: tuple[Rotation, ...] = (0, 90)
    frames = [estimate(rotation=rotation) for rotation in turns]
    names = ["000001.jpg", "000002.jpg"]
    folder = write_session(tmp_path / "set" / "live", 7, frames, accepted=True, files=names)
    for name, rotation in zip(names, turns, strict=True):
        cv2.imwrite(str(folder / name), np.rot90(portrait, rotation // 90))
    config.write_text(config.read_text() + "[CHECKS]\nrotate = 180\n")
    evaluate(config, tmp_path / "set", "--json", tmp_path / "o.json")
    (one,) = json.loads((tmp_path / "o.json").read_text())["presentations"]
    assert (one["frames"], one["accepted"]) == (2, True)


def test_sessions_are_judged_by_the_plugins(config: Path, tmp_path: Path, portrait: Image) -> None:
    """A still portrait in a folder of frames is asked for a blink.

    Without LifeSigns in the configuration the first frame that passes is enough.
    """
    chance = np.random.default_rng(1)
    folder = tmp_path / "sessions" / "attack" / "print" / "eileen" / "1"
    folder.mkdir(parents=True)
    for number in range(9):
        cv2.imwrite(str(folder / f"{number}.png"), with_noise(portrait, chance))
    source, out = tmp_path / "sessions", tmp_path / "out.json"
    result = evaluate(config, source, "--sessions", "--fps", "2", "--json", out)
    assert result.exit_code == 0
    (one,) = json.loads(out.read_text())["sessions"]
    assert (one["outcome"], one["frames"], one["subject"]) == ("accepted", 1, "eileen")
    config.write_text(config.read_text() + "[MIDDLEWARES.WS.LifeSigns]\nisEnabled = 1\n")
    page, overlay = tmp_path / "out.html", tmp_path / "signs.toml"
    evaluate(
        config,
        source,
        "--sessions",
        "--fps",
        "2",
        "--json",
        out,
        "--html",
        page,
        "--write",
        overlay,
    )
    (one,) = json.loads(out.read_text())["sessions"]
    assert (one["outcome"], one["frames"]) == ("asked", 9)
    assert "eyes" in one["details"]["lifeSigns"]["doubts"]
    assert "eyesDeviation" in page.read_text()
    assert "[MIDDLEWARES.WS.LifeSigns.args]" in overlay.read_text()


def test_options_of_the_other_mode_are_refused(config: Path, labelled: Path) -> None:
    """Single frames and the thresholds of LifeSigns each belong to one mode."""
    result = evaluate(config, labelled, "--sessions", "--unit", "frame")
    assert result.exit_code == 2
    assert "--sessions excludes" in result.output
    assert (
        "--sessions excludes"
        in evaluate(config, labelled, "--sessions", "--development", labelled).output
    )
    assert "--write needs --sessions" in evaluate(config, labelled, "--write", "x").output
    assert "expected RATE=BOUND" in evaluate(config, labelled, "--fail-above", "bpcer=5").output
