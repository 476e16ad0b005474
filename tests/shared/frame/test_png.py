"""A PNG is read by chunks, and only what determines its pixels reaches the decoder."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import intake, png
from shared.frame.decoding import decode
from tests.support import formats

HEIGHT, WIDTH = 12, 16
CLEAR = "not opaque"


def noise(channels: int, dtype: type = np.uint8) -> bytes:
    """Rows of samples."""
    samples = np.random.default_rng(1).integers(2, 255, (HEIGHT, WIDTH * channels))
    scale = 257 if dtype is np.uint16 else 1
    return (samples * scale).astype(np.dtype(dtype).newbyteorder(">")).tobytes()


def made(depth: int, colour_type: int, rows: bytes, *chunks: bytes) -> bytes:
    return formats.png(WIDTH, HEIGHT, depth, colour_type, rows, *chunks)


def palette(count: int) -> bytes:
    colours = np.random.default_rng(2).integers(0, 256, 3 * count, np.uint8)
    return formats.chunk(b"PLTE", colours.tobytes())


def clear(content: bytes) -> bytes:
    return formats.chunk(b"tRNS", content)


def with_alpha(alpha: int, channels: int, dtype: type = np.uint8) -> bytes:
    """Rows of samples whose alpha is 255 (of 8 bits), except the last pixel's."""
    order = np.dtype(dtype).newbyteorder(">")
    samples = np.frombuffer(noise(channels, dtype), order).copy()
    samples[channels - 1 :: channels] = np.iinfo(dtype).max
    samples[-1] = alpha
    return samples.tobytes()


BITS = {depth: noise(1)[: WIDTH * depth // 8 * HEIGHT] for depth in (1, 2, 4)}
OPAQUE = {
    **{f"grey {depth}": made(depth, 0, rows) for depth, rows in BITS.items()},
    **{f"palette {depth}": made(depth, 3, rows, palette(2**depth)) for depth, rows in BITS.items()},
    "grey 8": made(8, 0, noise(1)),
    "grey 8, another grey clear": made(8, 0, noise(1), clear(b"\0\1")),
    "RGB 8": made(8, 2, noise(3)),
    "RGB 8, another colour clear": made(8, 2, noise(3), clear(b"\0\1\0\1\0\1")),
    "RGB 16": made(16, 2, noise(3, np.uint16)),
    "grey and alpha 8": made(8, 4, with_alpha(255, 2)),
    "RGBA 8, as a canvas writes": made(8, 6, with_alpha(255, 4)),
    "RGBA 16": made(16, 6, with_alpha(65535, 4, np.uint16)),
    "palette 8": made(8, 3, noise(1), palette(256)),
    "palette 8, all opaque": made(8, 3, noise(1), palette(256), clear(b"\xff" * 256)),
    "palette 8, unused clear": made(8, 3, noise(1), palette(256), clear(b"\0")),
}
TRANSPARENT = {
    "grey 2": made(2, 0, BITS[2], clear(b"\0\1")),
    "grey 8": made(8, 0, noise(1), clear(b"\0" + noise(1)[5:6])),
    "grey 16": made(16, 0, noise(1, np.uint16), clear(noise(1, np.uint16)[10:12])),
    "RGB 8": made(8, 2, noise(3), clear(struct.pack(">HHH", *noise(3)[9:12]))),
    "RGB 16": made(16, 2, noise(3, np.uint16), clear(noise(3, np.uint16)[12:18])),
    "grey and alpha 8": made(8, 4, with_alpha(254, 2)),
    "RGBA 8": made(8, 6, with_alpha(254, 4)),
    "RGBA 16": made(16, 6, with_alpha(65000, 4, np.uint16)),
    "palette 1": made(1, 3, BITS[1], palette(2), clear(b"\x80")),
    "palette 8": made(8, 3, noise(1), palette(256), clear(b"\xff" * 100 + b"\xfe" * 100)),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_opaque_pixels_equal_those_of_pillow(name: str) -> None:
    """This includes every depth and colour type, with and without transparency."""
    data = OPAQUE[name]
    assert np.array_equal(decode(data, LimitsSection()), formats.by_pillow(data))


def test_grey_of_16_bits_uses_the_upper_byte() -> None:
    """Other depths do the same; Pillow itself keeps 16 bits and clips at 255."""
    rows = noise(1, np.uint16)
    expected = np.frombuffer(rows, ">u2").reshape(HEIGHT, WIDTH) >> 8
    decoded = decode(made(16, 0, rows), LimitsSection())
    assert all(np.array_equal(decoded[..., channel], expected) for channel in range(3))


@pytest.mark.parametrize("name", TRANSPARENT)
def test_an_image_with_a_transparent_pixel_is_refused(name: str) -> None:
    """The colour of the pixel depends on the background."""
    with pytest.raises(FrameError, match=CLEAR) as caught:
        decode(TRANSPARENT[name], LimitsSection())
    assert caught.value.code == "frame.transparent"


@pytest.mark.parametrize("kind", [b"gAMA", b"iCCP", b"sRGB", b"cHRM", b"cICP", b"sBIT", b"tEXt"])
def test_chunks_that_change_colours_in_some_decoders_are_ignored(kind: bytes) -> None:
    """Only the samples count."""
    rows = noise(3)
    content = struct.pack(">I", 200_000) if kind == b"gAMA" else bytes(9)
    data = made(8, 2, rows, formats.chunk(kind, content))
    assert np.array_equal(decode(data, LimitsSection()), decode(made(8, 2, rows), LimitsSection()))
    assert kind not in png.plain(data)


@pytest.mark.parametrize("place", ["before the pixels", "behind them"])
def test_the_orientation_is_found_at_any_place(place: str) -> None:
    """``eXIf`` may be before or after the pixels (PNG, 11.3.3.2)."""
    chunk = formats.chunk(b"eXIf", formats.tiff(6))
    data = made(8, 2, noise(3), *([chunk] if place == "before the pixels" else []))
    if place == "behind them":
        data = data[:-12] + chunk + data[-12:]
    assert intake.judge(data, LimitsSection()).upright_size == (HEIGHT, WIDTH)


def test_bytes_after_the_end_are_ignored() -> None:
    """Every decoder stops at IEND."""
    data = made(8, 2, noise(3))
    assert np.array_equal(decode(data + data, LimitsSection()), decode(data, LimitsSection()))


def test_a_truncated_image_is_refused() -> None:
    """It may be cut at any length."""
    data = cv2.imencode(".png", formats.noise(48, 64))[1].tobytes()
    for length in range(9, len(data), 97):
        with pytest.raises(FrameError):
            decode(data[:length], LimitsSection())


def test_data_after_the_last_row_are_not_inflated() -> None:
    """A small file that inflates to 200 MB costs only a small part of that."""
    rows = noise(3)
    samples = WIDTH * 3
    filtered = b"".join(b"\0" + rows[row * samples : (row + 1) * samples] for row in range(HEIGHT))
    squeezed = zlib.compressobj(9)
    parts = [squeezed.compress(filtered)]
    parts += [squeezed.compress(bytes(1_000_000)) for _ in range(200)]
    packed = b"".join([*parts, squeezed.flush()])
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    bomb = b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            formats.chunk(b"IHDR", header),
            formats.chunk(b"IDAT", packed),
            formats.chunk(b"IEND", b""),
        ]
    )
    assert len(bomb) < 1_000_000

    began = time.process_time()
    inflater = zlib.decompressobj()
    inflated, rest = 0, packed
    while rest:
        inflated += len(inflater.decompress(rest, 1_000_000))
        rest = inflater.unconsumed_tail
    whole = time.process_time() - began
    assert inflated > 190_000_000

    began = time.process_time()
    with contextlib.suppress(FrameError):
        decode(bomb, LimitsSection())
    assert time.process_time() - began < whole / 4
