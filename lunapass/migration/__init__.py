"""Convert configuration files of LUNA PASS to this service's.

``text`` decodes a file, ``lines`` splits it into sections and keys and repairs invalid TOML,
``names`` finds the key here for each key, ``values`` converts its value, and
``translation`` puts the new file together.
"""
