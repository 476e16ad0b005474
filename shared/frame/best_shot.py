"""The best shot: the picture of a frame that passed, as every verdict shows it, and its source.

Two decoders may read one file differently: alpha, transparency, colour profiles, orientation,
several pictures in one file. So what a client sent is never shown as the picture that was judged.
The gateway encodes the judged pixels once; that JPEG and the digest of what was received travel
together from there on.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from msgspec import Meta, Struct

from shared.frame.intake import Format


class ImageSource(Struct, frozen=True, array_like=True):
    """The file that a client sent for a frame.

    Attributes:
        sha256: digest of its bytes.
        size: number of its bytes.
        format: kind of encoding.
    """

    sha256: Annotated[bytes, Meta(min_length=32, max_length=32)]
    size: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    format: Format

    @classmethod
    def of(cls, data: bytes, kind: Format) -> ImageSource:
        """Describe a file."""
        return cls(hashlib.sha256(data).digest(), len(data), kind)

    def claim(self) -> dict[str, Any]:
        """Write it as the token's ``bestshotSource``."""
        return {"sha256": self.sha256.hex(), "bytes": self.size, "format": self.format}


class BestShot(Struct, frozen=True, array_like=True):
    """A frame that passed every check of the worker, and so may become the best shot.

    Attributes:
        seq: number of the frame in its session.
        image: JPEG of the judged pixels: upright, baseline, 4:4:4, without metadata.
        source: what was received for it.
    """

    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    image: bytes
    source: ImageSource
