"""The crowd: a synthetic person and the load harness."""
