"""The best shot: the judged image of a frame that passed, and the file it came from.

Two decoders may read one file differently: alpha, transparency, colour profiles, orientation,
several images in one file. So the client's file is never shown as the image that was judged. The
gateway encodes the judged pixels once; from then on that JPEG and the digest of the client's file
are one value.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from msgspec import Meta, Struct

from shared.frame.intake import Format


class ImageSource(Struct, frozen=True, array_like=True):
    """Digest and length in bytes of the file that a client sent for a frame."""

    sha256: Annotated[bytes, Meta(min_length=32, max_length=32)]
    size: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    format: Format

    @classmethod
    def of(cls, data: bytes, kind: Format) -> ImageSource:
        """Return the description of a file."""
        return cls(hashlib.sha256(data).digest(), len(data), kind)

    def claim(self) -> dict[str, Any]:
        """Return it as the token's claim ``bestshotSource``."""
        return {"sha256": self.sha256.hex(), "bytes": self.size, "format": self.format}


class BestShot(Struct, frozen=True, array_like=True):
    """A frame that passed every check of the worker and may become the best shot.

    Attributes:
        image: JPEG of the judged pixels: upright, baseline, 4:4:4, without metadata.
    """

    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    image: bytes
    source: ImageSource
