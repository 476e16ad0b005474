"""Which side-effect plugins a configuration turns on."""

from __future__ import annotations

from aggregator.sinks.callbacks import Callbacks
from aggregator.sinks.file_logger import FileLogger
from aggregator.sinks.writer import Sink
from shared.config.service import Config
from shared.config.source import EFFECTS
from shared.frame.checks import Rules
from shared.process.clock import SYSTEM, Clock


def build(config: Config, rules: Rules, *, clock: Clock = SYSTEM) -> list[Sink]:
    """Make the side-effect plugins.

    Raises:
        StartupError: one cannot do its work.
    """
    ws = config.MIDDLEWARES.WS
    sinks: list[Sink] = []
    if ws.FileLogger.isEnabled:
        sinks.append(FileLogger(ws.FileLogger.args, clock=clock))
    if ws.VideoRedis.isEnabled:
        # Not above: RQ takes a fifth of a start, and a restarted aggregator keeps sessions waiting.
        from aggregator.sinks.video_redis import VideoRedis

        longest = config.LIMITS.sessionSeconds + config.LIMITS.resumeSeconds
        sinks.append(VideoRedis(ws.VideoRedis.args, rules, longest, clock=clock))
    if ws.Callbacks.isEnabled:
        sinks.append(Callbacks(ws.Callbacks.args, clock=clock))
    return sinks


def changed(running: Config, fresh: Config) -> list[str]:
    """Names of the side-effect plugins whose sections differ; they are made at the start only."""
    before, after = running.MIDDLEWARES.WS, fresh.MIDDLEWARES.WS
    return [name for name in sorted(EFFECTS) if getattr(before, name) != getattr(after, name)]
