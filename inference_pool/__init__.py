"""The eyes: one model set per pinned worker process, estimating one frame at a time."""
