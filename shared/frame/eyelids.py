"""The strip of a face that shows both eyes: a small grid of brightness in the estimate."""

from typing import Annotated

from msgspec import Meta

EYE_COLUMNS, ROWS = 30, 21
"""Cells around one eye: lids and brow. Its centre is in the middle."""
APART = 40
"""Cells between the centres of both eyes."""
COLUMNS = APART + EYE_COLUMNS
"""Cells across both eyes. The line through the eyes is level, the crown of the head above."""

Eyelids = Annotated[bytes, Meta(min_length=ROWS * COLUMNS, max_length=ROWS * COLUMNS)]
"""Brightness 0..255 of each cell, row by row."""
