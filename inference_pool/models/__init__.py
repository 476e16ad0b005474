"""The model files: manifest, fetching, conversion, and the store that loads them."""
