"""Decodes a judged frame straight into a slot; runs in a thread, the decoders release the GIL."""

from __future__ import annotations

from shared import decoding
from shared.intake import Header
from shared.slab import Slab, SlotHead


def decode_into(
    slab: Slab, slot: int, generation: int, seq: int, data: bytes, header: Header
) -> None:
    """Decode a frame into a slot and write the slot's head.

    Raises:
        FrameError: the bytes do not decode to the picture that the header promised.
    """
    width, height = header.upright_size
    decoding.decode_into(slab.pixels(slot, width, height), data, header)
    slab.write_head(slot, SlotHead(generation, seq, width, height))
