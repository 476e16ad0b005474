"""The configuration: its keys, loading, validation, and each role's part of it."""
