"""Which plugins a configuration turns on, and in which order they run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator

from aggregator.plugins import user
from aggregator.plugins.active_liveness import ActiveLiveness
from aggregator.plugins.aggregate_liveness import AggregateLiveness
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.bestshot import Bestshot
from aggregator.plugins.face_matcher import FaceMatcher
from aggregator.plugins.luna3 import Luna3DescriptorQualityCheck
from aggregator.plugins.result import Result
from aggregator.plugins.virtual_camera import VirtualCameraChecker
from shared.config import Config
from shared.errors import ConfigError

log = logging.getLogger(__name__)

Maker = Callable[[], Plugin]

GATHERING: dict[str, type[Plugin]] = {
    "FaceMatcher": FaceMatcher,
    "VirtualCameraChecker": VirtualCameraChecker,
    "Bestshot": Bestshot,
    "Luna3DescriptorQualityCheck": Luna3DescriptorQualityCheck,
    "AggregateLiveness": AggregateLiveness,
    "ActiveLiveness": ActiveLiveness,
}
"""Plugins before the user's own, in the manual's order; the order in the file does not count."""

DECIDING: dict[str, type[Plugin]] = {
    "Result": Result,
}
"""Plugins after the user's own."""

BUILT_IN = GATHERING | DECIDING
EFFECTS = frozenset({"FileLogger", "VideoRedis", "Callbacks"})
"""Plugins without a say, which ``aggregator.effects`` runs after the answer."""


class Registry:
    """The plugins that a configuration turns on.

    Args:
        config: the configuration.

    Raises:
        ConfigError: a plugin is on that cannot be had, or its arguments do not fit; silently
            leaving out a check would let people in.

    Attributes:
        digest: tells apart configurations by which sessions are judged differently.
    """

    def __init__(self, config: Config) -> None:
        _check(config)
        self._makers: dict[str, Maker] = {
            **dict(_built_in(config, GATHERING)),
            **dict(_of_user(config)),
            **dict(_built_in(config, DECIDING)),
        }
        self.digest = _digest(config)

    def plugins(self) -> list[Plugin]:
        """Make one session's plugins, in the order they run.

        A plugin that cannot be made is replaced by one that fails its session.
        """
        made: list[Plugin] = []
        for name, make in self._makers.items():
            try:
                made.append(make())
            except Exception:
                log.exception("plugin %s failed", name, extra={"fields": {"plugin": name}})
                made.append(_Failed())
        return made

    async def close(self) -> None:
        """Give back what the plugins share: factories that have a coroutine ``close`` know it."""
        for make in self._makers.values():
            if (close := getattr(make, "close", None)) is not None:
                await close()


class _Failed(Plugin):
    """Stands for a plugin that could not be made: its session fails."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        raise RuntimeError("the plugin could not be made for this session")


def _built_in(config: Config, kinds: dict[str, type[Plugin]]) -> Iterator[tuple[str, Maker]]:
    for name, kind in kinds.items():
        section = getattr(config.MIDDLEWARES.WS, name)
        if section.isEnabled:
            yield name, kind.factory(getattr(section, "args", None), config)


def _of_user(config: Config) -> Iterator[tuple[str, Maker]]:
    for name, section in config.MIDDLEWARES.WS.user_plugins.items():
        if not section.isEnabled:
            continue
        kind = user.find(name)
        args = user.arguments(name, kind, section.args)
        try:
            yield name, kind.factory(args, config)
        except ConfigError:
            raise
        except Exception as error:  # as with the module: any fault is a fault of the start
            raise ConfigError(f'[MIDDLEWARES.WS."{name}"] cannot start: {error!r}') from error


def _digest(config: Config) -> str:
    plugins = config.MIDDLEWARES.WS.model_dump_json(exclude=set(EFFECTS))
    told = (config.LIVENESS.model_dump_json(), config.CHECKS.model_dump_json(), plugins)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _check(config: Config) -> None:
    plugins = config.MIDDLEWARES.WS
    for name in type(plugins).model_fields:
        if getattr(plugins, name).isEnabled and name not in BUILT_IN.keys() | EFFECTS:
            raise ConfigError(
                f"[MIDDLEWARES.WS.{name}] isEnabled: this version has no such plugin; "
                f"it has {', '.join([*BUILT_IN, *sorted(EFFECTS)])}. Set isEnabled = 0"
            )
