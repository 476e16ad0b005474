"""Writes baseline JPEGs of any sampling, restart interval and padding, which no library does.

Its Huffman codes all have the same length, so a code is its symbol's index in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

Sampling = Sequence[tuple[int, int]]
"""Horizontal and vertical factor of each component: luma alone, or luma and two of chroma."""
QUANTUM = 4
DC_BITS, AC_BITS = 4, 8
DC_SYMBOLS = bytes(range(12))
AC_SYMBOLS = bytes([0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))])

_grid = np.arange(8)
_DCT = np.cos(np.pi * (2 * _grid + 1) * _grid[:, None] / 16) / 2
_DCT[0] /= np.sqrt(2)
_ZIGZAG = sorted(range(64), key=lambda n: (n // 8 + n % 8, (n % 8, n // 8)[(n // 8 + n % 8) % 2]))


def write_jpeg(
    image: Image,
    sampling: Sampling = ((1, 1), (1, 1), (1, 1)),
    interval: int = 0,
    padding: bytes = b"",
) -> bytes:
    """Encode an image.

    Args:
        image: (height, width, 3) BGR; only luma is written if ``sampling`` has one component.
        sampling: factors of each component.
        interval: blocks of all components between two restart markers; 0 writes none.
        padding: excess bytes after the coded data of each interval.
    """
    height, width = image.shape[:2]
    units = [list(unit) for unit in _units(image, sampling)]
    each = interval or len(units)
    intervals = [units[start : start + each] for start in range(0, len(units), each)]
    head = b"\xff\xd8" + _segment(0xDB, b"\0" + bytes([QUANTUM] * 64))
    size = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    factors = b"".join(bytes([n, h << 4 | v, 0]) for n, (h, v) in enumerate(sampling, 1))
    head += _segment(0xC0, size + bytes([len(sampling)]) + factors)
    head += _segment(0xC4, _table(0x00, DC_BITS, DC_SYMBOLS))
    head += _segment(0xC4, _table(0x10, AC_BITS, AC_SYMBOLS))
    head += _segment(0xDD, interval.to_bytes(2, "big"))
    tables = b"".join(bytes([number, 0]) for number in range(1, len(sampling) + 1))
    head += _segment(0xDA, bytes([len(sampling)]) + tables + b"\0\x3f\0")
    coded = [_coded(part) + padding for part in intervals]
    parts = (data + bytes([0xFF, 0xD0 + n % 8]) for n, data in enumerate(coded[:-1]))
    return head + b"".join(parts) + coded[-1] + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def _table(place: int, bits: int, symbols: bytes) -> bytes:
    return bytes([place, *(len(symbols) * (n == bits) for n in range(1, 17))]) + symbols


def _units(image: Image, sampling: Sampling) -> Iterator[Iterator[tuple[int, list[int]]]]:
    """Yield the blocks of each unit: number of the component, coefficients in zigzag order."""
    most_h, most_v = (max(factor) for factor in zip(*sampling, strict=True))
    height, width = image.shape[:2]
    down, right = -height % (8 * most_v), -width % (8 * most_h)
    whole = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    y, cr, cb = cv2.split(cv2.cvtColor(whole, cv2.COLOR_BGR2YCrCb))
    planes = []
    for plane, (h, v) in zip((y, cb, cr), sampling, strict=False):
        size = (plane.shape[1] * h // most_h, plane.shape[0] * v // most_v)
        planes.append(_blocks(cv2.resize(plane, size, interpolation=cv2.INTER_AREA)))
    for row in range(whole.shape[0] // (8 * most_v)):
        for column in range(whole.shape[1] // (8 * most_h)):
            yield (
                (number, planes[number][row * v + j, column * h + i].tolist())
                for number, (h, v) in enumerate(sampling)
                for j in range(v)
                for i in range(h)
            )


def _blocks(plane: NDArray[np.generic]) -> NDArray[np.int64]:
    """Transform and quantise a plane: (rows, columns, 64) of blocks."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.astype(float).reshape(rows, 8, columns, 8).swapaxes(1, 2) - 128
    coefficients = np.rint(_DCT @ blocks @ _DCT.T / QUANTUM).astype(np.int64)
    return coefficients.reshape(rows, columns, 64)[..., _ZIGZAG]


def _coded(units: Sequence[list[tuple[int, list[int]]]]) -> bytes:
    """Code the blocks of one restart interval."""
    bits: list[str] = []
    last = [0] * 4
    for number, block in (block for unit in units for block in unit):
        bits.append(_value(block[0] - last[number], 0, DC_SYMBOLS, DC_BITS))
        last[number] = block[0]
        run = 0
        for value in block[1:]:
            if value == 0:
                run += 1
                continue
            while run > 15:
                bits.append(_symbol(0xF0, AC_SYMBOLS, AC_BITS))
                run -= 16
            bits.append(_value(value, run, AC_SYMBOLS, AC_BITS))
            run = 0
        if run:
            bits.append(_symbol(0x00, AC_SYMBOLS, AC_BITS))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def _symbol(symbol: int, symbols: bytes, bits: int) -> str:
    return format(symbols.index(symbol), f"0{bits}b")


def _value(value: int, run: int, symbols: bytes, bits: int) -> str:
    """Code a coefficient: its size with the zeros before it, then its digits."""
    size = abs(value).bit_length()
    digits = format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else ""
    return _symbol(run << 4 | size, symbols, bits) + digits
