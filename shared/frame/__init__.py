"""One frame: its file, its pixels in shared memory, its measures and their checks."""
