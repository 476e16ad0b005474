"""Digest of a frame's pixels, used to detect repeated frames."""

import struct

import numpy as np
import xxhash

from shared.frame.estimation import Image


def pixel_digest(image: Image) -> bytes:
    """Compute a 16-byte digest of a frame's pixels.

    XXH3 is not a cryptographic hash: collisions can be constructed. An attacker gains nothing by
    that, because the second of two frames with the same digest is refused. It is 30 times faster
    than SHA-256 (0.015 ms instead of 0.5 ms for 640 x 480 pixels).
    """
    height, width = image.shape[:2]  # hashed because a reshaped image has the same bytes
    hashed = xxhash.xxh3_128(struct.pack("<II", height, width))
    hashed.update(np.ascontiguousarray(image).data)
    return hashed.digest()
