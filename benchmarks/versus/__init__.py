"""Alternatives that a user would build instead: the same models behind common servers."""
