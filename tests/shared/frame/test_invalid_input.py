"""The corpora of invalid input: each file gives the error beside it, which shows no internals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.config.service import LimitsSection
from shared.errors import FrameError, MessageError
from shared.frame import intake
from shared.frame.decoding import decode_into
from shared.wire.messages import decode, decode_estimate
from shared.wire.protocol import Codec, ProtocolError

INVALID = Path(__file__).parents[2] / "invalid"


def corpus(folder: str, suffix: str) -> list[Path]:
    """Return the files of a corpus, which must not be empty."""
    found = sorted((INVALID / folder).glob(f"*.{suffix}"))
    assert len(found) >= 20
    return found


def expected(path: Path) -> str:
    return path.with_suffix(".txt").read_text().strip()


def assert_shows_no_internals(message: str) -> None:
    """Check that a text for clients names no path, slab, module or exception."""
    for internal in ("/", "slab", "Traceback", "Error", "cv2", "numpy", ".py"):
        assert internal not in message


@pytest.mark.parametrize("path", corpus("frames", "bin"), ids=lambda path: path.stem)
def test_invalid_frame(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Header check and decoder refuse it, within the memory of an allowed image.

    No library writes a line of its own, which would fill the log at any rate.
    """
    data = path.read_bytes()
    with pytest.raises(FrameError) as caught:
        read_and_decode(data)
    assert caught.value.code == expected(path)
    assert_shows_no_internals(str(caught.value))
    assert capfd.readouterr().err == ""


def read_and_decode(data: bytes) -> None:
    header = intake.judge(data, LimitsSection())
    width, height = header.upright_size
    decode_into(np.zeros((height, width, 3), np.uint8), data, header)


@pytest.mark.parametrize("path", corpus("protocol", "json"), ids=lambda path: path.stem)
def test_invalid_text(path: Path) -> None:
    """Code and close code are as written, or one of them if Python's versions differ."""
    with pytest.raises(ProtocolError) as caught:
        Codec().decode(path.read_text())
    assert f"{caught.value.code} {caught.value.close_code}" in expected(path).splitlines()
    assert_shows_no_internals(str(caught.value))


@pytest.mark.parametrize("path", corpus("messages", "bin"), ids=lambda path: path.stem)
def test_invalid_message(path: Path) -> None:
    """It is neither a message nor an estimate."""
    with pytest.raises(MessageError) as caught:
        decode(path.read_bytes())
    assert str(caught.value) == expected(path)
    with pytest.raises(MessageError):
        decode_estimate(path.read_bytes())
