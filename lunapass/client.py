"""The Python client under its former name; new programs import ``lunapass_client``."""

from lunapass_client.api import *  # noqa: F403
