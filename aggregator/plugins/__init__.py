"""Session plugins, one file each; ``registry`` has their order."""
