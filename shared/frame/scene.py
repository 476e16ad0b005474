"""The scene of a frame: a grid of mean brightness, small enough to travel in the estimate."""

from typing import Annotated

from msgspec import Meta

COLUMNS, ROWS = 24, 18
"""Cells of the grid, in the proportions of a 4:3 camera; each is 27 pixels wide at 640x480."""

Scene = Annotated[bytes, Meta(min_length=COLUMNS * ROWS, max_length=COLUMNS * ROWS)]
"""Brightness 0..255 of each cell, row by row."""
