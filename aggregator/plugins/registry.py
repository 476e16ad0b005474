"""The enabled plugins of a configuration, and their order."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pydantic import BaseModel

from aggregator.json_data import json_only
from aggregator.plugins import user
from aggregator.plugins.active_liveness import ActiveLiveness
from aggregator.plugins.aggregate_liveness import AggregateLiveness
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from aggregator.plugins.bestshot import Bestshot
from aggregator.plugins.face_matcher import FaceMatcher
from aggregator.plugins.life_signs import LifeSigns
from aggregator.plugins.luna3 import Luna3DescriptorQualityCheck
from aggregator.plugins.result import Result
from aggregator.plugins.virtual_camera import VirtualCameraChecker
from aggregator.policy import BOUNDS, Policy, Stated
from shared.config.service import Config
from shared.config.source import EFFECTS
from shared.digests import canonical
from shared.errors import ConfigError

log = logging.getLogger(__name__)

Maker = Callable[[], Plugin]


class Configured(NamedTuple):
    """An enabled plugin."""

    make: Maker
    stated: Stated


GATHERING: dict[str, type[Plugin]] = {
    "FaceMatcher": FaceMatcher,
    "VirtualCameraChecker": VirtualCameraChecker,
    "Bestshot": Bestshot,
    "Luna3DescriptorQualityCheck": Luna3DescriptorQualityCheck,
    "AggregateLiveness": AggregateLiveness,
    "LifeSigns": LifeSigns,
    "ActiveLiveness": ActiveLiveness,
}
"""Plugins before the user's, in the order of LUNA PASS 1.x; the file's order is ignored."""

DECIDING: dict[str, type[Plugin]] = {
    "Result": Result,
}
"""Plugins that run after user plugins."""

BUILT_IN = GATHERING | DECIDING
CLOSE_SECONDS = 1.0
"""Time for a plugin to close; the aggregator waits for it, also after a reload."""
MAX_STATED_BYTES = 200
"""Maximum JSON of one user plugin in the claim ``policy``; keeps the token small."""


class Registry:
    """The enabled plugins of a configuration.

    Raises:
        ConfigError: an enabled plugin does not exist or has invalid arguments. Skipping it would
            let people in unchecked.

    Attributes:
        digest: differs between configurations that judge sessions differently.
        uses_only_best: a frame's judged pixels are used only if Bestshot chooses the frame.
    """

    def __init__(self, config: Config) -> None:
        _check(config)
        self._plugins: dict[str, Configured] = {
            **dict(_built_in(config, GATHERING)),
            **dict(_of_user(config)),
            **dict(_built_in(config, DECIDING)),
        }
        self.digest = _digest(config)
        self.uses_only_best = config.MIDDLEWARES.WS.use_only_best
        self.policy = Policy.of(config, [(name, on.stated) for name, on in self._plugins.items()])

    def plugins(self) -> list[Plugin]:
        """Create a session's plugins, in the order they run.

        A plugin whose creation raises is replaced by one that fails the session.
        """
        created: list[Plugin] = []
        for name, plugin in self._plugins.items():
            try:
                created.append(plugin.make())
            except Exception:
                fields = {"plugin": name}
                log.exception("plugin %s could not be created", name, extra={"fields": fields})
                created.append(_FailedPlugin())
        return created

    async def close(self) -> None:
        """Close what the sessions' plugins share, if the factory's callable has a ``close``."""
        for name, plugin in self._plugins.items():
            if (close := getattr(plugin.make, "close", None)) is None:
                continue
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await close()
            except Exception:
                log.exception(
                    "plugin %s cannot be closed", name, extra={"fields": {"plugin": name}}
                )


class _FailedPlugin(Plugin):
    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        raise RuntimeError("the plugin could not be created for this session")


def _built_in(config: Config, kinds: dict[str, type[Plugin]]) -> Iterator[tuple[str, Configured]]:
    for name, kind in kinds.items():
        section = getattr(config.MIDDLEWARES.WS, name)
        if section.isEnabled:
            args = getattr(section, "args", None)
            yield name, Configured(kind.factory(args, config), kind.stated(args, config))


def _of_user(config: Config) -> Iterator[tuple[str, Configured]]:
    for name, section in config.MIDDLEWARES.WS.user_plugins.items():
        if not section.isEnabled:
            continue
        kind = user.find(name)
        args = user.arguments(name, kind, section.args)
        try:
            yield name, Configured(kind.factory(args, config), _stated(kind, args, config))
        except ConfigError:
            raise
        except Exception as error:  # user code may raise anything; it must not start then
            raise ConfigError(f'[MIDDLEWARES.WS."{name}"] cannot start: {error!r}') from error


def _stated(kind: type[Plugin], args: BaseModel, config: Config) -> Stated:
    """Return a user plugin's entry in the claim ``policy``.

    Raises:
        ConfigError: it is not a JSON object, or too long.
    """
    stated = kind.stated(args, config)
    place = f"{kind.__module__}:{kind.__qualname__}.stated"
    if not isinstance(stated, dict) or json_only(stated) is not stated:
        raise ConfigError(f"{place} does not return a JSON object; return a dict of JSON values")
    if (length := len(canonical(stated))) > MAX_STATED_BYTES:
        raise ConfigError(
            f"{place} returns {length} bytes of JSON; allowed: at most {MAX_STATED_BYTES}; "
            "return a digest instead"
        )
    return stated


def _digest(config: Config) -> str:
    plugins = config.MIDDLEWARES.WS.model_dump_json(exclude=set(EFFECTS))
    bounds = config.LIMITS.model_dump_json(include=set(BOUNDS))
    parts = (config.LIVENESS.model_dump_json(), config.CHECKS.model_dump_json(), plugins, bounds)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _check(config: Config) -> None:
    plugins = config.MIDDLEWARES.WS
    for name in type(plugins).model_fields:
        if getattr(plugins, name).isEnabled and name not in BUILT_IN.keys() | EFFECTS:
            raise ConfigError(
                f"[MIDDLEWARES.WS.{name}] isEnabled: this version has no such plugin; "
                f"it has {', '.join([*BUILT_IN, *sorted(EFFECTS)])}. Set isEnabled = 0"
            )
