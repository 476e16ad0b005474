"""``lunapass config check`` opens the same files as a start, and reports the same errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunapass.commands.config import command
from shared.errors import ConfigError
from shared.wire.curve import write_keys

SECRET = "k" * 48
STAMP = 'WORKERS.backend = "tests.support.stamp:StampBackend"'


def checked(folder: Path, settings: str, *options: str) -> Result:
    """Check a configuration in a folder; raise the exception of a refusal."""
    file = folder / "config.toml"
    file.write_text(f'LUNA_PASS.env = "development"\n{settings}\n')
    return CliRunner().invoke(command, ["check", str(file), *options], catch_exceptions=False)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths start here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUNAPASSVIDEO_CONFIG", raising=False)


def refused(folder: Path, settings: str) -> list[str]:
    """Return the lines of a refusal, one for each error."""
    with pytest.raises(ConfigError) as error:
        checked(folder, settings)
    return str(error.value).splitlines()


def test_a_key_file_is_opened(tmp_path: Path) -> None:
    """A missing or unsuitable one is refused, a suitable one is accepted."""
    key = f'LUNA_PASS.JWT.key = "file:{tmp_path}/key"\n{STAMP}'
    (line,) = refused(tmp_path, key)
    assert line.startswith(f"[LUNA_PASS.JWT] key: file {tmp_path}/key: cannot be read: No such")
    (tmp_path / "key").write_text("short")
    assert "at least 32" in refused(tmp_path, key)[0]
    assert "does not fit ES256" in refused(tmp_path, f'LUNA_PASS.JWT.algorithm = "ES256"\n{key}')[0]
    (tmp_path / "key").write_text(SECRET)
    assert checked(tmp_path, key).exit_code == 0


def test_the_folder_of_the_log_file_exists(tmp_path: Path) -> None:
    """The file itself is not created: the service's user does that."""
    (line,) = refused(tmp_path, f'LUNA_PASS.logFile = "{tmp_path}/logs/service.log"\n{STAMP}')
    assert line.startswith(f"[LUNA_PASS] logFile: {tmp_path}/logs/service.log: there is no such")
    (tmp_path / "logs").mkdir()
    settings = f'LUNA_PASS.logFile = "{tmp_path}/logs/service.log"\n{STAMP}'
    assert checked(tmp_path, settings).exit_code == 0
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_published_key_is_opened(tmp_path: Path) -> None:
    """The next key is read before its change, too."""
    keys = f'LUNA_PASS.JWT.publishedKeys = ["file:{tmp_path}/next.pem"]\n{STAMP}'
    (line,) = refused(tmp_path, keys)
    assert line.startswith(f"[LUNA_PASS.JWT] publishedKeys: file {tmp_path}/next.pem: cannot be")


def test_keys_of_the_transport_are_opened(tmp_path: Path) -> None:
    """A missing key, one of another role, and one readable by others are refused."""
    keys = f"{STAMP}\n{write_keys(tmp_path / 'keys')}"
    assert checked(tmp_path, keys).exit_code == 0
    (tmp_path / "keys" / "worker.key").chmod(0o644)
    assert "chmod 0600" in refused(tmp_path, keys)[0]
    (tmp_path / "keys" / "worker.key").unlink()
    assert "workerSecret: file" in refused(tmp_path, keys)[0]
    others = "\n".join(line for line in keys.splitlines() if "workerSecret" not in line)
    assert checked(tmp_path, others).exit_code == 0


def test_labels_are_read(tmp_path: Path) -> None:
    """A list that a Windows editor saved as UTF-16 is read, too."""
    (tmp_path / "labels").write_text("OBS\n", encoding="utf-16")
    labels = 'isEnabled = 1\nargs.labelsPath = "labels"'
    (line,) = refused(tmp_path, f"{STAMP}\n[MIDDLEWARES.WS.VirtualCameraChecker]\n{labels}")
    assert line.startswith("[MIDDLEWARES.WS.VirtualCameraChecker] args.labelsPath: file labels: is")


def test_a_page_of_the_operator_is_read(tmp_path: Path) -> None:
    """A folder without a page is refused, unless no page is served."""
    (tmp_path / "page").mkdir()
    assert refused(tmp_path, f'{STAMP}\nKIOSK.directory = "page"') == [
        "KIOSK.directory page: no index.html; name the folder of the page,"
        " or set KIOSK.isEnabled = 0"
    ]
    page = 'KIOSK.directory = "page"\nKIOSK.isEnabled = 0'
    assert checked(tmp_path, f"{STAMP}\n{page}").exit_code == 0


def test_models_are_loaded(tmp_path: Path, models_directory: Path) -> None:
    """Missing and damaged ones are named; without models the rest can still be checked."""
    models = 'MODELS.directory = "models"'
    (line,) = refused(tmp_path, models)
    assert "found no such file" in line
    assert "run 'lunapass models pull'" in line
    assert checked(tmp_path, models, "--without-models").exit_code == 0
    shutil.copytree(models_directory, tmp_path / "models")
    assert checked(tmp_path, models).exit_code == 0
    with (tmp_path / "models" / "mobilefacenet_112.onnx").open("ab") as file:
        file.write(b"\0")
    assert "mobilefacenet_112.onnx: found" in refused(tmp_path, models)[0]


def test_the_models_must_suffice_for_the_plugins(tmp_path: Path) -> None:
    """FaceMatcher without a descriptor prevents the start."""
    plugin = "MIDDLEWARES.WS.FaceMatcher.isEnabled = 1"
    assert "cannot describe faces" in refused(tmp_path, f"{STAMP}\n{plugin}")[0]


VIDEO = 'MIDDLEWARES.WS.VideoRedis = { isEnabled = 1, args.workerTask = "task.archive" }'


def test_the_task_of_videos_is_found(tmp_path: Path) -> None:
    """If the video worker's configuration is beside the service's, its task must exist."""
    pytest.importorskip("av", reason="PyAV (extra video) is not installed")
    both = f"{STAMP}\n{VIDEO}"
    assert checked(tmp_path, both).exit_code == 0
    (tmp_path / "lunapassvideo.config.toml").write_text('WORKER.task = "task.py"')
    assert "task.py is not a Python file" in refused(tmp_path, both)[0]
    (tmp_path / "task.py").write_text("def run(film):\n    pass\n")
    (line,) = refused(tmp_path, both)
    assert "there is no task 'task.archive' here; allowed: task.run" in line
    (tmp_path / "task.py").write_text("def archive(film):\n    pass\n")
    assert checked(tmp_path, both).exit_code == 0


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    """An administrator need not correct one file to see the error in the next."""
    lines = refused(
        tmp_path,
        'LUNA_PASS.JWT.key = "file:key"\nMODELS.directory = "models"\n'
        '[MIDDLEWARES.WS.VirtualCameraChecker]\nisEnabled = 1\nargs.labelsPath = "labels"',
    )
    assert [line.split(":")[0].split("]")[0] for line in lines] == [
        "[LUNA_PASS.JWT",
        "[MIDDLEWARES.WS.VirtualCameraChecker",
        "model detector",
    ]
