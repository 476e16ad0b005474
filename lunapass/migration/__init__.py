"""Turning configuration files of LUNA PASS into this service's.

``text`` decodes a file, ``lines`` splits it into sections and keys and repairs what is no TOML,
``names`` finds the key that each key has here, ``values`` converts what it is set to, and
``translation`` puts the new file together.
"""
