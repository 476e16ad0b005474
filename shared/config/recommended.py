"""The recommended plugins: stricter than the lenient defaults of LUNA PASS 1.x."""

from shared.config.service import Config

PLUGINS = (
    "Bestshot",
    "AggregateLiveness",
    "LifeSigns",
    "FaceMatcher",
    "VirtualCameraChecker",
)
"""Plugins that are turned on: several frames of one person, from a camera, with signs of life."""


def recommended(config: Config) -> Config:
    """Turn the recommended plugins on; every other key stays as it is."""
    plugins = config.MIDDLEWARES.WS
    turned_on = {
        name: getattr(plugins, name).model_copy(update={"isEnabled": True}) for name in PLUGINS
    }
    middlewares = config.MIDDLEWARES.model_copy(update={"WS": plugins.model_copy(update=turned_on)})
    return config.model_copy(update={"MIDDLEWARES": middlewares})
