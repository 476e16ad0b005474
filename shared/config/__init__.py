"""The configuration: its keys, how it is read and checked, and how each role gets its part."""
