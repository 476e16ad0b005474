"""``lunapass evaluate --simulate`` on a set whose estimates are in the cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evaluation.cache import Cache, Measurement, content_hash, fingerprint
from lunapass.commands.evaluate import command
from shared.config.loading import load
from shared.errors import ResourceError
from tests.evaluation.estimates import estimate


class LabelledSet:
    """Files whose content is not read, and the estimates to return for them."""

    def __init__(self, folder: Path) -> None:
        self.source, self._cache = folder / "set", folder / "cache"
        self._config = folder / "lunapass.toml"
        self._config.write_text(f'[MODELS]\ndirectory = "{folder}/none"\n')

    def add(self, name: str, scores: Sequence[float], refused: str = "") -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        measured = Measurement(tuple(map(estimate, scores)), refused)
        cache = Cache(self._cache, fingerprint(load(self._config)))
        cache.put(f"{content_hash(path)}/1", measured)

    def evaluate(self, *words: object) -> Result:
        options = [self.source, "--config", self._config, "--cache", self._cache, *words]
        return CliRunner().invoke(command, list(map(str, options)), catch_exceptions=False)


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledSet:
    return LabelledSet(tmp_path)


def test_settings_are_compared(labelled: LabelledSet, tmp_path: Path) -> None:
    """The report has the front and the configured one; the figures are the same in every run."""
    labelled.add("live/anna/1.mp4", [0.9] * 30)
    labelled.add("live/boris.jpg", [0.9])
    labelled.add("live/broken.jpg", [], "it is no image")
    labelled.add("attack/print/anna/1.mp4", [0.1, 0.1, 0.1, 0.1, 0.9] * 6)
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    words = "--simulate", 3, "--json", out, "--html", page, "--fail-above", "bpcer=0"
    result = labelled.evaluate(*words)
    assert result.exit_code == 0
    report = json.loads(out.read_text())
    assert report["simulation"] == {
        "sessions": 3,
        "frames": 20,
        "fps": 5.0,
        "block": 10,
        "seed": 0,
        "single": 1,
        "deviation": pytest.approx(1.25, abs=0.05),
    }
    (now,) = (row for row in report["settings"] if row["now"])
    assert (now["bpcer"]["of"], now["apcer"]["print"]["rate"]) == (6, 1.0)
    shown = " ".join(result.output.split())
    assert "first passing frame, 15 refusals (configured)" in shown
    assert "is not on the front" in shown
    assert "1 presentation(s) are a single image" in shown
    assert "live/broken.jpg: it is no image" in shown
    assert "<svg" in page.read_text()
    first = out.read_text()
    assert labelled.evaluate(*words).exit_code == 0
    assert out.read_text() == first
    assert labelled.evaluate("--simulate", 3, "--fail-above", "apcer=0.5").exit_code == 1


def test_a_set_without_possible_sessions_is_refused(labelled: LabelledSet) -> None:
    """It has only attacks, or only single images."""
    labelled.add("attack/print/1.mp4", [0.1] * 5)
    with pytest.raises(ResourceError, match="no frame in live/"):
        labelled.evaluate("--simulate", 1)
    (labelled.source / "attack/print/1.mp4").unlink()
    labelled.add("live/anna.jpg", [0.9])
    with pytest.raises(ResourceError, match="no presentation has several frames"):
        labelled.evaluate("--simulate", 1)


def test_options_of_the_other_modes_are_refused(labelled: LabelledSet) -> None:
    """Simulated sessions have presentations of frames, and no groups."""
    labelled.add("live/anna.jpg", [0.9])
    for words in (["--frames", 5], ["--fps", 2]):
        assert labelled.evaluate(*words).exit_code == 2
    others = (["--sessions"], ["--unit", "frame"], ["--groups", "age"])
    for words in (*others, ["--development", labelled.source]):
        result = labelled.evaluate("--simulate", 1, *words)
        assert result.exit_code == 2
        assert "--simulate excludes" in result.output
