"""Load test: synthetic people and the processes that play them."""
