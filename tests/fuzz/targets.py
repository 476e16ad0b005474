"""The fuzz targets: each takes bytes and raises nothing but what its contract names."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared.config import loading as config_loading
from shared.config import rules as config_rules
from shared.config.service import LimitsSection
from shared.errors import ConfigError, FrameError, MessageError
from shared.frame import intake
from shared.frame.decoding import decode_into
from shared.wire.messages import decode, decode_estimate, encode
from shared.wire.protocol import CLIENT_COMMANDS, Codec, Frame, ProtocolError

Target = Callable[[bytes], None]

LIMITS = LimitsSection(framePixels=65_536)
CODEC = Codec()
PIXELS = np.zeros(LIMITS.framePixels * 3, np.uint8)


def protocol(data: bytes) -> None:
    """A client's text becomes a command with headers, or a refusal that names a close code."""
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    refusal = None
    try:
        message = CODEC.decode(text)
    except ProtocolError as error:
        refusal = error
    if refusal is not None:
        assert refusal.close_code in (1009, 4000)
        return
    assert not isinstance(message, Frame)
    assert message.command in CLIENT_COMMANDS
    assert isinstance(message.headers, dict)


def image(data: bytes) -> None:
    """A frame becomes the pixels that its header promised, or a refusal."""
    with contextlib.suppress(FrameError):
        header = intake.judge(data, LIMITS)
        width, height = header.upright_size
        assert 0 < width * height <= LIMITS.framePixels
        pixels = PIXELS[: width * height * 3].reshape(height, width, 3)
        decode_into(pixels, data, header)


def message(data: bytes) -> None:
    """A message between roles is valid, and is unchanged when encoded again."""
    with contextlib.suppress(MessageError):
        decode_estimate(data)
    with contextlib.suppress(MessageError):
        read = decode(data)
        assert decode(encode(read)) == read


def configuration(data: bytes) -> None:
    """A configuration file is accepted, or each of its errors is a line that names the file."""
    with tempfile.NamedTemporaryFile(prefix="lp-fuzz-") as file:
        file.write(data)
        file.flush()
        try:
            config_rules.check(config_loading.load(Path(file.name), {}), file.name)
        except ConfigError as error:
            lines = str(error).split("\n")
            assert all(line.startswith(file.name) for line in lines), lines


TARGETS: dict[str, Target] = {
    "protocol": protocol,
    "image": image,
    "message": message,
    "configuration": configuration,
}
