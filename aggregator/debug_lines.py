"""Lines of the log at level 2: how a session opened and how each of its frames was judged.

They have names and codes, nothing measured on the person. ``about`` adds session and frame.
"""

import logging
from collections.abc import Sequence

from aggregator.plugins.base import Plugin

log = logging.getLogger(__name__)


def session_opened(plugins: Sequence[Plugin]) -> None:
    """Log the plugins of a session, in their order."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug("session opened", extra={"fields": {"plugins": list(map(_name, plugins))}})


def codes_changed(plugin: Plugin, before: Sequence[int], codes: Sequence[int]) -> None:
    """Log how a plugin changed a frame's codes."""
    if log.isEnabledFor(logging.DEBUG):
        fields = {"plugin": _name(plugin), "before": list(before), "codes": list(codes)}
        log.debug("plugin changed the codes", extra={"fields": fields})


def frame_judged(codes: Sequence[int], *, final: bool, accepted: bool) -> None:
    """Log a frame's codes after all plugins, and what they mean for the session."""
    if log.isEnabledFor(logging.DEBUG):
        fields = {"codes": list(codes), "final": final, "accepted": accepted}
        log.debug("frame judged", extra={"fields": fields})


def _name(plugin: Plugin) -> str:
    return type(plugin).__name__
