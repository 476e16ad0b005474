"""Which side-effect plugins a configuration turns on."""

from __future__ import annotations

from aggregator.effects.writer import Sink
from aggregator.plugins.callbacks import Callbacks
from aggregator.plugins.file_logger import FileLogger
from aggregator.plugins.video_redis import VideoRedis
from shared.checks import Rules
from shared.config import Config


def build(config: Config, rules: Rules) -> list[Sink]:
    """Make the side-effect plugins.

    Raises:
        StartupError: one cannot do its work.
    """
    ws = config.MIDDLEWARES.WS
    sinks: list[Sink] = []
    if ws.FileLogger.isEnabled:
        sinks.append(FileLogger(ws.FileLogger.args))
    if ws.VideoRedis.isEnabled:
        sinks.append(VideoRedis(ws.VideoRedis.args, rules))
    if ws.Callbacks.isEnabled:
        sinks.append(Callbacks(ws.Callbacks.args))
    return sinks
