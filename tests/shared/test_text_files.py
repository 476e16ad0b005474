"""All text files of operators are read in the same way."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from aggregator.plugins.virtual_camera import VirtualCameraChecker
from evaluation.samples import read as read_samples
from shared.config.loading import load, load_video
from shared.config.luna_pass import JwtSection
from shared.config.plugins import VirtualCameraArgs
from shared.config.service import Config
from shared.errors import ConfigError, ResourceError, StartupError
from shared.signing import Signer
from shared.text_files import MAX_BYTES, read_text

SECRET = "k" * 48
TEXT = "Größe = 'ß'\r\n"
NO_TEXT = {
    "UTF-16": (TEXT.encode("utf-16"), "is UTF-16"),
    "UTF-16, big end first": (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "is UTF-16"),
    "UTF-32": (TEXT.encode("utf-32"), "is UTF-32"),
    "UTF-16 without a mark": ("key = 1".encode("utf-16-le"), "byte 1 is zero"),
    "raw bytes": (bytes(range(128, 192)), "byte 0 is not UTF-8"),
    "raw bytes with a zero": (b"\x11\x00\xfe" * 20, "byte 1 is zero"),
    "Latin-1": ("# Gr\xf6\xdfe".encode("latin-1"), "byte 4 is not UTF-8"),
    "Latin-1 behind a mark": (codecs.BOM_UTF8 + b"\xf6", "byte 3 is not UTF-8"),
}


def section(file: Path) -> JwtSection:
    return JwtSection.model_validate({"key": f"file:{file}"})


def signed(file: Path) -> str:
    return Signer(section(file)).sign({"isOk": True})


def labels_of(file: Path) -> tuple[str, ...]:
    args = VirtualCameraArgs(labelsPath=str(file))
    return VirtualCameraChecker.factory(args, Config())()._labels


READERS: dict[str, Callable[[Path], object]] = {
    "text": read_text,
    "signing key": signed,
    "labels of cameras": labels_of,
    "configuration": lambda file: load(file, {}),
    "configuration of the video worker": lambda file: load_video(file, {}),
    "table of samples": lambda file: read_samples(file, frozenset()),
    "public keys": lambda file: Signer(
        JwtSection.model_validate({"key": SECRET, "publishedKeys": [f"file:{file}"]})
    ),
}


def test_a_byte_order_mark_is_removed(tmp_path: Path) -> None:
    """The text is the same with and without it."""
    file = tmp_path / "text"
    for mark in (b"", codecs.BOM_UTF8):
        file.write_bytes(mark + TEXT.encode())
        assert read_text(file) == TEXT


def test_a_secret_with_a_byte_order_mark_signs_the_same(tmp_path: Path) -> None:
    """A secret saved by a Windows editor equals the plain one."""
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    plain.write_bytes(SECRET.encode())
    marked.write_bytes(codecs.BOM_UTF8 + SECRET.encode() + b"\r\n")
    assert signed(marked) == signed(plain)


def test_configuration_with_a_byte_order_mark(tmp_path: Path) -> None:
    """The mark does not become part of the first key."""
    file = tmp_path / "config.toml"
    file.write_bytes(codecs.BOM_UTF8 + b"port = 4321\n")
    assert load(file, {}).LUNA_PASS.port == 4321


def test_labels_with_a_byte_order_mark(tmp_path: Path) -> None:
    """The first label has no mark."""
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    plain.write_bytes(b"OBS\n")
    marked.write_bytes(codecs.BOM_UTF8 + b"OBS\r\n")
    assert labels_of(plain) == labels_of(marked) == ("obs",)


@pytest.mark.parametrize("kind", NO_TEXT)
@pytest.mark.parametrize("reader", READERS)
def test_an_undecodable_file_is_named(tmp_path: Path, reader: str, kind: str) -> None:
    """One line says which file, what it is and what to do, without its content."""
    data, found = NO_TEXT[kind]
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises((ConfigError, ResourceError)) as refused:
        READERS[reader](file)
    message = str(refused.value)
    assert found in message
    assert "allowed: " in message
    assert str(file) in message
    assert message.count("; ") >= 2
    assert "\n" not in message


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_is_named(tmp_path: Path, reader: str) -> None:
    """There is no traceback."""
    with pytest.raises(StartupError, match="cannot be read: No such file or directory; give"):
        READERS[reader](tmp_path / "absent")


def test_an_endless_file_is_refused() -> None:
    """A device is read only up to the limit."""
    with pytest.raises(ConfigError, match=f"larger than {MAX_BYTES} bytes"):
        read_text(Path("/dev/zero"))
