"""Session plugins, one file each; ``registry`` lists them in the order they run."""
