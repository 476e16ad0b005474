"""One frame: its file, its pixels in shared memory, and what was measured and checked in it."""
