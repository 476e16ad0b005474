"""The video worker's configuration is loaded and validated like the service's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.loading import load_video
from shared.config.toml import dump
from shared.config.video import VideoConfig
from shared.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "video.toml"
    path.write_text(text)
    return path


def test_the_file_with_all_defaults_gives_the_defaults(tmp_path: Path) -> None:
    """The commented file equals the defaults; the task file is beside it."""
    config = load_video(written(tmp_path, dump(VideoConfig(), reveal=True)), {})
    assert config.WORKER.task == str(tmp_path / VideoConfig().WORKER.task)
    found, defaults = config.model_dump(), VideoConfig().model_dump()
    found["WORKER"].pop("task")
    defaults["WORKER"].pop("task")
    assert found == defaults


def test_a_task_may_have_an_absolute_path(tmp_path: Path) -> None:
    """The path is used unchanged."""
    path = written(tmp_path, '[WORKER]\ntask = "/srv/task.py"')
    assert load_video(path, {}).WORKER.task == "/srv/task.py"


def test_a_variable_overrides_the_file(tmp_path: Path) -> None:
    """The worker's variables have their own prefix; the service's have no effect."""
    path = written(tmp_path, '[VIDEO]\ncodec = "H264"\nfps = 5')
    variables = {"LUNAPASSVIDEO__VIDEO__CODEC": "VP9", "LUNAPASS__PORT": "80"}
    config = load_video(path, variables)
    assert (config.VIDEO.codec, config.VIDEO.fps) == ("VP9", 5)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[VIDEO]\ncodec = "AV1"', '[VIDEO] codec is "AV1"; allowed: one of H265, H264, VP9'),
        ("[VIDEO]\ncodecs = 1", "[VIDEO] has no key codecs (did you mean codec?)"),
        ("[VIDIO]\ncodec = 1", "there is no section or key VIDIO (did you mean VIDEO?)"),
        ("[REDIS]\nqueueNames = []", "[REDIS] queueNames is []; allowed: a non-empty list"),
        (
            "[WORKER]\nleaseSeconds = 1",
            "[WORKER] leaseSeconds is 1; allowed: a whole number from 3",
        ),
    ],
)
def test_errors_are_reported_in_one_line(tmp_path: Path, text: str, fault: str) -> None:
    """An error names the file, the place, what was found and what is allowed."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_video(path, {})
    assert str(error.value).startswith(f"{path}: {fault}")
