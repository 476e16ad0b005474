"""``lunapass migrate`` turns administrators' files into files that the service accepts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunapass.commands.migrate import command
from shared.config.loading import load, load_video
from shared.config.rules import check
from shared.config.service import Config
from shared.config.video import VideoConfig
from shared.errors import ResourceError

KEY = {"LUNAPASS__LUNA_PASS__JWT__KEY": "x" * 64}
ORIGINALS = Path(__file__).parent / "originals"
SERVICE_1X = (ORIGINALS / "manual-service.toml").read_text()
VIDEO_1X = (ORIGINALS / "manual-video.toml").read_text()
SNAKE_CASE = """\
[LIVENESS]
max_attempts = 50
max_liveness_attempts = 40
multiface_policy = 1

[MIDDLEWARES.WS.VideoRedis]
args.frames_limit = 100
"""


def migrate(folder: Path, content: str | bytes, *options: str) -> Result:
    """Run the command on one file; it writes the new one to ``folder / "new"``."""
    file = folder / "original.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    arguments = [str(file), "--output", str(folder / "new"), *options]
    return CliRunner().invoke(command, arguments)


def migrated(folder: Path, content: str | bytes) -> tuple[Config, str]:
    """Return the new configuration, as the service loads it, and its text."""
    result = migrate(folder, content)
    assert result.exit_code in (0, 1), result.output
    file = folder / "new" / "lunapassapi.config.toml"
    config = load(file, KEY)
    check(config)
    return config, file.read_text()


def test_the_documented_file_of_luna_pass_starts_unchanged(tmp_path: Path) -> None:
    """All documented keys of 1.7 are accepted unchanged, in their order, with comments."""
    config, text = migrated(tmp_path, SERVICE_1X)
    assert config == load(None, KEY | {"LUNAPASS__MIDDLEWARES__WS__BESTSHOT__ISENABLED": "1"})
    written = [line for line in text.splitlines() if line and not line.startswith("#")]
    original = [line for line in SERVICE_1X.splitlines() if line and not line.startswith("#")]
    assert written[: len(original)] == original
    assert text.startswith("# Настройки сервиса\n")


def test_the_documented_file_leaves_only_the_key_to_decide(tmp_path: Path) -> None:
    """Production refuses its default key, which the command reports before a start does."""
    result = migrate(tmp_path, SERVICE_1X)
    assert result.exit_code == 1
    assert "before a start" in result.output
    assert "lunapass config key" in result.output
    good = migrate(tmp_path, SERVICE_1X.replace('"secret"', f'"{"k" * 64}"'), "--force")
    assert good.exit_code == 0, good.output


def test_the_video_workers_file(tmp_path: Path) -> None:
    """The file of the video worker is recognised by its sections."""
    assert migrate(tmp_path, VIDEO_1X).exit_code == 0
    new = load_video(tmp_path / "new" / "lunapassvideo.config.toml", {})
    assert new.VIDEO == VideoConfig().VIDEO
    assert new.REDIS == VideoConfig().REDIS


def test_both_files_at_once(tmp_path: Path) -> None:
    """The two files of one installation are migrated together."""
    service, video = tmp_path / "a.toml", tmp_path / "b.toml"
    service.write_text(SERVICE_1X)
    video.write_text(VIDEO_1X)
    CliRunner().invoke(command, [str(service), str(video), "--output", str(tmp_path / "new")])
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["lunapassapi.config.toml", "lunapassvideo.config.toml"]


def test_names_of_2x(tmp_path: Path) -> None:
    """2.x has underscores between words, and some keys are one level higher."""
    config, _ = migrated(tmp_path, SNAKE_CASE)
    assert config.LIVENESS.maxAttempts == 50
    assert config.LIVENESS.maxLivenessAttempts == 40
    assert config.LIVENESS.THRESHOLDS.multifacePolicy == 1
    assert config.MIDDLEWARES.WS.VideoRedis.args.framesLimit == 100


@pytest.mark.parametrize(
    ("line", "section", "path", "value"),
    [
        ("port = '8321'", "LUNA_PASS", "LUNA_PASS.port", 8321),
        ("port = 8321.0", "LUNA_PASS", "LUNA_PASS.port", 8321),
        ("LogLevel = '0'", "LUNA_PASS", "LUNA_PASS.logLevel", 0),
        ("blur = 0,61", "LIVENESS.THRESHOLDS", "LIVENESS.THRESHOLDS.blur", 0.61),
        ("blur = '0.7'", "liveness.thresholds", "LIVENESS.THRESHOLDS.blur", 0.7),
        ("yaw : 15", "LIVENESS.THRESHOLDS", "LIVENESS.THRESHOLDS.yaw", 15),
        (
            "glasses = 'GlassesEstimation.NoGlasses, sunglasses'",
            "LIVENESS.THRESHOLDS",
            "LIVENESS.THRESHOLDS.glasses",
            ["no_glasses", "sunglasses"],
        ),
        ("isEnabled = '1'", "MIDDLEWARES.WS.Bestshot", "MIDDLEWARES.WS.Bestshot.isEnabled", True),
        ("isEnabled = 1.0", "MIDDLEWARES.WS.Bestshot", "MIDDLEWARES.WS.Bestshot.isEnabled", True),
        ("isEnabled = True", "MIDDLEWARES.WS.Bestshot", "MIDDLEWARES.WS.Bestshot.isEnabled", True),
        (
            "args.resultTtl=500",
            "MIDDLEWARES.WS.VideoRedis",
            "MIDDLEWARES.WS.VideoRedis.args.resultTtl",
            "500",
        ),
        (
            'args = { failureTtl = "1 year" }',
            "MIDDLEWARES.WS.VideoRedis",
            "MIDDLEWARES.WS.VideoRedis.args.failureTtl",
            "1y",
        ),
        (
            'failureTtl = "2 weeks"',
            "MIDDLEWARES.WS.VideoRedis.args",
            "MIDDLEWARES.WS.VideoRedis.args.failureTtl",
            "2w",
        ),
        (
            "args.descriptor QualityThreshold = 0.6",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck.args.descriptorQualityThreshold",
            0.6,
        ),
        (
            "args.connectionString = <http://10.0.0.1:5000>",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck.args.connectionString",
            "http://10.0.0.1:5000",
        ),
        (
            "args.connectionString = “<http://10.0.0.1:5000>”",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck",
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck.args.connectionString",
            "http://10.0.0.1:5000",
        ),
        (
            "path = /var/log/frames  # a '#' sign",
            "MIDDLEWARES.WS.FileLogger",
            "MIDDLEWARES.WS.FileLogger.args.path",
            "/var/log/frames",
        ),
        (
            "aggregateFrames = 5",
            "LIVENESS",
            "MIDDLEWARES.WS.AggregateLiveness.args.framesCount",
            5,
        ),
        (
            "aggregateFrames = 5",
            "LIVENESS",
            "MIDDLEWARES.WS.AggregateLiveness.isEnabled",
            True,
        ),
        ("logFile = '/var/log/pass.log'", "LUNA_PASS", "LUNA_PASS.logFile", "/var/log/pass.log"),
        (
            "acceptOneEyeOpen = false",
            "LIVENESS",
            "LIVENESS.THRESHOLDS.acceptOneEyeOpen",
            False,
        ),
        (
            "ROI = [25, 10, 50, 80]",
            "LIVENESS.THRESHOLDS",
            "LIVENESS.THRESHOLDS.ROI",
            [25, 10, 50, 80],
        ),
        (
            "disallowMultipleFacesInSession = 1",
            "LIVENESS",
            "MIDDLEWARES.WS.FaceMatcher.isEnabled",
            True,
        ),
    ],
)
def test_values_as_administrators_write_them(
    tmp_path: Path, line: str, section: str, path: str, value: object
) -> None:
    """Each such line sets its key, and a comment above it shows the original."""
    config, text = migrated(tmp_path, f"[{section}]\n{line}\n")
    found: object = config
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert "# lunapass migrate: " in text


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("cp1251"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["BOM", "cp1251", "UTF-16", "CRLF"],
)
def test_encodings(tmp_path: Path, encode: object) -> None:
    """Files that Windows editors saved are read, with their comments."""
    assert callable(encode)
    content = f'# Порт\n[LUNA_PASS]\nport = 9000\nenv = "development"\n{SNAKE_CASE}'
    config, text = migrated(tmp_path, encode(content))
    assert config.LUNA_PASS.port == 9000
    assert text.startswith("# Порт\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("livenessScore = 1.5", "a number from 0 to 1"),
        ("ROI = [120, 40, 400, 400]", "a list of 4, each item a number from 0 to 100"),
        ("noSuchKey = 1", "no such key"),
        ("= 5", "is not valid TOML"),
        ("blur = 0.6\nblur = 0.7", "set twice"),
        ("deepfakeScore = 0.5", "deepfakes"),
    ],
)
def test_an_untranslatable_line_becomes_a_comment(tmp_path: Path, line: str, reason: str) -> None:
    """It is reported with its reason, and the exit status says that a decision is left."""
    result = migrate(tmp_path, f"[LIVENESS.THRESHOLDS]\nmouth = 0.3\n{line}\n")
    assert result.exit_code == 1
    text = (tmp_path / "new" / "lunapassapi.config.toml").read_text()
    assert f"# {line.splitlines()[-1]}" in text
    assert reason in " ".join(text.replace("\n# ", " ").split())
    assert "open: " in result.output
    assert load(tmp_path / "new" / "lunapassapi.config.toml", {}).LIVENESS.THRESHOLDS.mouth == 0.3


def test_an_unknown_section_becomes_comments(tmp_path: Path) -> None:
    """All its keys do, and the next section is translated again."""
    content = "[MIDDLEWARES.WS.Deepfake]\nisEnabled = 1\nargs.x = 2\n[LIVENESS]\nmaxAttempts = 7\n"
    config, text = migrated(tmp_path, content)
    assert "# [MIDDLEWARES.WS.Deepfake]\n# isEnabled = 1\n# args.x = 2" in text
    assert config.LIVENESS.maxAttempts == 7


def test_a_user_plugin_stays_unchanged(tmp_path: Path) -> None:
    """Its section is copied."""
    content = '[MIDDLEWARES.WS."own.plugin:Class"]\nisEnabled = 0\nargs.limit = "x"\n'
    _, text = migrated(tmp_path, content + SNAKE_CASE)
    assert '[MIDDLEWARES.WS."own.plugin:Class"]\nisEnabled = 0\nargs.limit = "x"' in text


def test_a_key_above_its_section_is_moved(tmp_path: Path) -> None:
    """It goes into the section that it has here."""
    config, _ = migrated(tmp_path, "host = '127.0.0.1'\nyaw = 15\n[LIVENESS]\nmaxAttempts = 5\n")
    assert config.LUNA_PASS.host == "127.0.0.1"
    assert config.LIVENESS.THRESHOLDS.yaw == 15


def test_a_repeated_section_is_merged(tmp_path: Path) -> None:
    """TOML does not allow two."""
    content = (
        "[LIVENESS]\nmaxAttempts = 5\n[LUNA_PASS]\nport = 9\n[LIVENESS]\nmaxLivenessAttempts = 4\n"
    )
    config, _ = migrated(tmp_path, content)
    assert (config.LIVENESS.maxAttempts, config.LIVENESS.maxLivenessAttempts) == (5, 4)


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    """The command's output may end up in a terminal's log; only the owner can read the new file."""
    secret = "hunter2 and more"
    content = f"[LUNA_PASS.JWT]\nkey = {secret}\n[MIDDLEWARES.REQUEST.BasicAuth]\npassword={secret}"
    result = migrate(tmp_path, content)
    assert secret not in result.output
    file = tmp_path / "new" / "lunapassapi.config.toml"
    assert load(file, {}).LUNA_PASS.JWT.key.get_secret_value() == secret
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One line and status 2; status 1 means that an administrator must decide something."""
    (tmp_path / "a.toml").write_text("port = 1\n")
    (tmp_path / "file").touch()
    output = str(tmp_path / "file" / "sub")
    with pytest.raises(ResourceError, match="give another --output"):
        CliRunner().invoke(
            command, [str(tmp_path / "a.toml"), "--output", output], catch_exceptions=False
        )


def test_no_file_is_replaced(tmp_path: Path) -> None:
    """A second run would overwrite the administrator's changes; --force allows it."""
    migrate(tmp_path, SNAKE_CASE)
    assert "exists" in str(migrate(tmp_path, SNAKE_CASE).exception)
    assert migrate(tmp_path, SNAKE_CASE, "--force").exit_code in (0, 1)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"GIF89a\0\0", b"", b"[LIVENESS]\n"])
def test_a_file_without_keys_is_an_error(tmp_path: Path, content: bytes) -> None:
    """It is named, and nothing is written."""
    assert migrate(tmp_path, content).exception is not None
    assert not (tmp_path / "new").exists()
