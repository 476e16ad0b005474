"""The language all roles speak: configuration, messages, slots, codes and checks.

Nothing in here runs as a process, and nothing in here imports another package of the project.
"""

__version__ = "0.1.0"
