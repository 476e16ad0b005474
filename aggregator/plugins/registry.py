"""Which plugins a configuration turns on, and in which order they run."""

from __future__ import annotations

from aggregator.plugins.base import Plugin
from aggregator.plugins.bestshot import Bestshot
from aggregator.plugins.result import Result
from shared.checks import Rules
from shared.config import Config
from shared.errors import ConfigError

AVAILABLE = frozenset({"Bestshot", "Result"})


def check(config: Config) -> None:
    """Refuse a configuration that turns on a plugin which this version does not have.

    Raises:
        ConfigError: such a plugin is on; silently leaving out a check would let people in.
    """
    plugins = config.MIDDLEWARES.WS
    named = {name: getattr(plugins, name) for name in type(plugins).model_fields}
    for name, plugin in {**named, **plugins.user_plugins}.items():
        if plugin.isEnabled and name not in AVAILABLE:
            raise ConfigError(
                f"[MIDDLEWARES.WS.{name}] isEnabled: this version has no such plugin; "
                f"it has {', '.join(sorted(AVAILABLE))}. Set isEnabled = 0"
            )


def build(config: Config, rules: Rules) -> list[Plugin]:
    """Make one session's plugins, in the manual's order."""
    ws = config.MIDDLEWARES.WS
    plugins: list[Plugin] = []
    if ws.Bestshot.isEnabled:
        plugins.append(Bestshot(rules))
    if ws.Result.isEnabled:
        plugins.append(Result(needs_best=ws.Bestshot.isEnabled))
    return plugins
