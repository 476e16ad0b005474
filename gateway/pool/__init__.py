"""Frames on their way to a worker: decoding, slots, credit, and the best shot's pixels."""
