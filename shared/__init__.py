"""Code that all roles share: configuration, messages, frames, codes and checks.

Nothing here runs as a process or imports another package of the project except
``lunapass_client``.
"""

__version__ = "0.1.0"
