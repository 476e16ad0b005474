"""A frame is decoded straight into its slot."""

from __future__ import annotations

from pathlib import Path

from gateway.decoding import decode_into
from shared import intake
from shared.config import LimitsSection
from shared.slab import Slab
from tests.support.stamp import read_stamp, stamped_jpeg


def test_a_jpeg_lands_in_its_slot(tmp_path: Path) -> None:
    """The slot holds the picture, its generation and its number."""
    slab = Slab.create(tmp_path / "slab-1", slots=2, pixels=640 * 480)
    data = stamped_jpeg(77, 5)
    decode_into(slab, 1, 3, 9, data, intake.judge(data, LimitsSection()))
    assert read_stamp(slab.frame(1, 3, 9)) == (77, 5)
