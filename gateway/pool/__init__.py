"""The way of frames to the workers: queue, decoding, slots, leases, best shot."""
