"""The enabled sinks of a configuration."""

from aggregator.sinks.file_logger import FileLogger
from aggregator.sinks.writer import Sink
from shared.config.service import Config
from shared.config.source import EFFECTS
from shared.frame.checks import Rules
from shared.process.clock import SYSTEM, Clock
from shared.signing import Signer


def build(config: Config, rules: Rules, *, clock: Clock = SYSTEM) -> list[Sink]:
    """Create the enabled sinks.

    Raises:
        StartupError: a sink cannot start.
    """
    ws = config.MIDDLEWARES.WS
    sinks: list[Sink] = []
    if ws.FileLogger.isEnabled:
        sinks.append(FileLogger(ws.FileLogger.args, config.RETENTION, clock=clock))
    if ws.VideoRedis.isEnabled:
        # Late imports: sessions wait while an aggregator restarts, and RQ takes a fifth of that.
        from aggregator.sinks.video_redis import VideoRedis

        max_seconds = config.LIMITS.sessionSeconds + config.LIMITS.resumeSeconds
        args, retention = ws.VideoRedis.args, config.RETENTION
        sinks.append(VideoRedis(args, rules, max_seconds, retention, clock=clock))
    if ws.Callbacks.isEnabled:
        from aggregator.sinks.callbacks import Callbacks

        sinks.append(Callbacks(ws.Callbacks.args, clock=clock))
    if ws.Audit.isEnabled:
        from aggregator.sinks.audit import Audit

        sinks.append(Audit(ws.Audit.args, Signer(config.LUNA_PASS.JWT), clock=clock))
    return sinks


def changed(running: Config, fresh: Config) -> list[str]:
    """Return the sinks whose sections differ; sinks are only created at start-up."""
    before, after = running.MIDDLEWARES.WS, fresh.MIDDLEWARES.WS
    return [name for name in sorted(EFFECTS) if getattr(before, name) != getattr(after, name)]
