"""Ten whole files, as documented by LUNA PASS and as used in practice, become files that start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lunapass.migration.text import read_original
from lunapass.migration.translation import Translation, translate
from lunapass.start_check import check_start
from shared.config.loading import load, load_video
from shared.config.rules import check
from shared.config.service import Config
from shared.config.video import VideoConfig

ORIGINALS = Path(__file__).parent / "originals"
NEW_KEY = {"LUNAPASS__LUNA_PASS__JWT__KEY": "x" * 64}
"""Replaces the documented key, which production refuses."""
NO_LOG = {"LUNAPASS__LUNA_PASS__LOGFILE": ""}
"""The installer creates the folder of the log file."""


@dataclass(frozen=True)
class Expected:
    """The result for one file.

    Attributes:
        undecided: lines of the original that an administrator must decide about.
        values: some keys of the new configuration.
        encoding: encoding of the original, if it is not UTF-8.
    """

    undecided: tuple[int, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    encoding: str | None = None


EXPECTED = {
    "manual-service": Expected(
        values={"LIVENESS.THRESHOLDS.ags": 0.8, "MIDDLEWARES.WS.Bestshot.isEnabled": True}
    ),
    "manual-video": Expected(values={"VIDEO.codec": "H265", "VIDEO.framesLimit": 0}),
    "manual-later": Expected(
        undecided=(25, 26),
        values={
            "LUNA_PASS.JWT.algorithm": "HS512",
            "LIVENESS.maxLivenessAttempts": 30,
            "LIVENESS.THRESHOLDS.acceptOneEyeOpen": False,
            "LIVENESS.THRESHOLDS.ROI": [20, 10, 60, 80],
            "LIVENESS.THRESHOLDS.glasses": ["no_glasses", "eyeglasses"],
            "MIDDLEWARES.WS.FaceMatcher.isEnabled": True,
            "MIDDLEWARES.WS.AggregateLiveness.isEnabled": True,
            "MIDDLEWARES.WS.AggregateLiveness.args.framesCount": 5,
            "MIDDLEWARES.WS.VideoRedis.args.sessionTimeout": 120,
        },
    ),
    "windows-editor": Expected(values={"LIVENESS.THRESHOLDS.blur": 0.7}),
    "cp1251": Expected(
        values={
            "LUNA_PASS.logLevel": 2,
            "LIVENESS.maxAttempts": 50,
            "MIDDLEWARES.WS.FileLogger.args.path": "/var/lib/lunapass/ЖУРНАЛ",
        },
        encoding="cp1251",
    ),
    "utf-16": Expected(
        values={"MIDDLEWARES.WS.ActiveLiveness.args.interactionsCount": 3}, encoding="utf-16"
    ),
    "texts-for-numbers": Expected(
        values={
            "LUNA_PASS.port": 8321,
            "LIVENESS.THRESHOLDS.blur": 0.65,
            "LIVENESS.THRESHOLDS.light": 0.6,
            "LIVENESS.THRESHOLDS.multifacePolicy": 1,
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck.args.connectionString": (
                "http://10.0.0.1:5000"
            ),
            "MIDDLEWARES.WS.Luna3DescriptorQualityCheck.args.descriptorQualityThreshold": 0.6,
            "MIDDLEWARES.WS.VideoRedis.isEnabled": False,
            "MIDDLEWARES.WS.VideoRedis.args.resultTtl": "500",
            "MIDDLEWARES.WS.VideoRedis.args.failureTtl": "1y",
        },
    ),
    "unknown-sections": Expected(
        undecided=(3, 7, 13, 16),
        values={
            "LIVENESS.THRESHOLDS.mouth": 0.5,
            "MIDDLEWARES.WS.FaceMatcher.isEnabled": True,
        },
    ),
    "by-hand": Expected(
        undecided=(1, 8, 11, 13),
        values={
            "LUNA_PASS.env": "development",
            "LIVENESS.maxAttempts": 30,
            "LIVENESS.maxLivenessAttempts": 20,
            "LIVENESS.THRESHOLDS.yaw": 15,
            "LIVENESS.THRESHOLDS.pitch": 10,
            "LIVENESS.THRESHOLDS.livenessScore": 0.5,
            "MIDDLEWARES.WS.FileLogger.args.path": "./FRAMES",
            "MIDDLEWARES.REQUEST.BasicAuth.args.origin": "https://kiosk.example",
        },
    ),
    "video-by-hand": Expected(
        undecided=(6, 7), values={"VIDEO.codec": "H264", "VIDEO.framesLimit": 250}
    ),
}


@pytest.fixture(params=EXPECTED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def translated(name: str) -> tuple[Translation, str | None]:
    text, encoding = read_original(ORIGINALS / f"{name}.toml")
    return translate(text), encoding


def loaded(translation: Translation, folder: Path) -> Config | VideoConfig:
    """Load the new file as a start does, with its warnings and all files that it names."""
    file = folder / "new.toml"
    file.write_text(translation.text)
    if translation.root is VideoConfig:
        return load_video(file, {})
    config = load(file, NEW_KEY | NO_LOG)
    check(config)
    check_start(config, file, models=False)
    return config


def value_of(config: Config | VideoConfig, key: str) -> object:
    found: Any = config
    for part in key.split("."):
        found = getattr(found, part)
    return found


def test_every_file_has_an_expectation() -> None:
    """There are ten."""
    assert {path.stem for path in ORIGINALS.iterdir()} == EXPECTED.keys()
    assert len(EXPECTED) == 10


def test_the_result_starts_with_the_values_of_the_original(name: str, tmp_path: Path) -> None:
    """Omitted lines are named, and all others have their value in the new file."""
    translation, encoding = translated(name)
    expected = EXPECTED[name]
    assert tuple(change.line for change in translation.open) == expected.undecided
    assert encoding == expected.encoding
    config = loaded(translation, tmp_path)
    assert {key: value_of(config, key) for key in expected.values} == expected.values


def test_migrating_twice_changes_nothing(name: str, tmp_path: Path) -> None:
    """The new file is one of this service: a second run leaves nothing to decide."""
    first, _ = translated(name)
    second = translate(first.text)
    assert second.open == []
    assert loaded(second, tmp_path) == loaded(first, tmp_path)


def test_comments_stay(name: str) -> None:
    """Every comment of the original is in the new file."""
    text, _ = read_original(ORIGINALS / f"{name}.toml")
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    translation, _ = translated(name)
    assert set(comments) <= set(translation.text.splitlines())
