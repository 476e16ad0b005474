"""Model files: manifest, store, and the runtimes that run them in a worker."""
