"""Sections ``MIDDLEWARES.*``: the built-in plugins by name, and users' own plugins."""

import re
from importlib.metadata import entry_points
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails

from shared.config.base import Confidential, Section
from shared.config.life_signs import LifeSignsArgs
from shared.config.plugins import (
    ActiveLivenessArgs,
    AggregateLivenessArgs,
    AuditArgs,
    BasicAuthArgs,
    CallbacksArgs,
    ConsentArgs,
    FaceMatcherArgs,
    FileLoggerArgs,
    Luna3Args,
    PluginSection,
    ResultPlugin,
    ServerResultArgs,
    StartTokenArgs,
    Switch,
    VideoRedisArgs,
    VirtualCameraArgs,
)

USER_PLUGIN_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""Form of the name of a user's own plugin: ``package.module:Class``."""

ENTRY_POINTS = "lunapass.plugins"
"""Group of entry points that name users' own plugins."""


class UserPlugin(Switch):
    """Your own plugin, named ``package.module:Class`` or by its entry point."""

    args: Annotated[dict[str, Any], Confidential()] = {}
    """Arguments; the plugin's own model validates them."""


class RequestMiddlewares(Section):
    """Plugins of the upgrade request."""

    BasicAuth: PluginSection[BasicAuthArgs] = PluginSection[BasicAuthArgs]()
    """HTTP Basic authentication and origin check of the upgrade request."""
    StartToken: PluginSection[StartTokenArgs] = PluginSection[StartTokenArgs]()
    """Requires for each new session a token that the relying party's server signed."""
    Consent: PluginSection[ConsentArgs] = PluginSection[ConsentArgs]()
    """Requires for each new session that the person has accepted a text."""
    ServerResult: PluginSection[ServerResultArgs] = PluginSection[ServerResultArgs]()
    """Reports the outcome of a session to the relying party's server, on request."""


class WsMiddlewares(Section):
    """Plugins of a session; all other keys are users' own plugins.

    Such a key is ``package.module:Class`` or an entry point of the group ``lunapass.plugins``. The
    order here is that of the file; the aggregator determines the order in which plugins run.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, UserPlugin] = Field(init=False)

    FileLogger: PluginSection[FileLoggerArgs] = PluginSection[FileLoggerArgs]()
    """Writes every frame and its estimate to files."""
    Bestshot: Switch = Switch()
    """Chooses the frame with the highest liveness score."""
    Luna3DescriptorQualityCheck: PluginSection[Luna3Args] = PluginSection[Luna3Args]()
    """Checks the quality of the photo with an external LUNA PLATFORM 3."""
    AggregateLiveness: PluginSection[AggregateLivenessArgs] = PluginSection[AggregateLivenessArgs]()
    """Requires liveness over several frames of one face."""
    LifeSigns: PluginSection[LifeSignsArgs] = PluginSection[LifeSignsArgs]()
    """Requires signs of a living person, or an action where they are in doubt."""
    ActiveLiveness: PluginSection[ActiveLivenessArgs] = PluginSection[ActiveLivenessArgs]()
    """Asks for actions: blink, turn left or right, chin up or down."""
    Result: ResultPlugin = ResultPlugin()
    VideoRedis: PluginSection[VideoRedisArgs] = PluginSection[VideoRedisArgs]()
    """Writes the frames of a session to Redis, for the video worker."""
    FaceMatcher: PluginSection[FaceMatcherArgs] = PluginSection[FaceMatcherArgs]()
    """Requires the same person from the first frame to the verdict."""
    VirtualCameraChecker: PluginSection[VirtualCameraArgs] = PluginSection[VirtualCameraArgs]()
    """Looks for evidence of a virtual camera or an injected stream."""
    Callbacks: PluginSection[CallbacksArgs] = PluginSection[CallbacksArgs]()
    """Sends the final answer to a web address."""
    Audit: PluginSection[AuditArgs] = PluginSection[AuditArgs]()
    """Writes one record of each session to a chain of records."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Accept an extra name as a user's own plugin only if it looks like one.

        Otherwise a misspelled name of a built-in plugin would silently turn its check off.
        """
        if not isinstance(value, dict):
            return handler(value)
        known = {name: item for name, item in value.items() if cls._is_plugin(name)}
        unknown = [
            InitErrorDetails(type="extra_forbidden", loc=(name,), input=item)
            for name, item in value.items()
            if name not in known
        ]
        if not unknown:
            return handler(value)
        try:
            handler(known)
        except ValidationError as error:
            unknown += [_details(line) for line in error.errors()]
        raise ValidationError.from_exception_data(cls.__name__, unknown)

    @classmethod
    def _is_plugin(cls, name: str) -> bool:
        return (
            name in cls.model_fields
            or USER_PLUGIN_NAME.fullmatch(name) is not None
            or bool(entry_points(group=ENTRY_POINTS, name=name))
        )

    @property
    def needs_frames(self) -> bool:
        """Whether a side-effect plugin that needs the frames is on."""
        return self.FileLogger.isEnabled or self.VideoRedis.isEnabled

    @property
    def has_effects(self) -> bool:
        """Whether any side-effect plugin is on."""
        return self.needs_frames or self.Callbacks.isEnabled or self.Audit.isEnabled

    def look_at_received(self, *, passed: bool) -> bool:
        """Return whether a plugin uses the client's file of a frame.

        For a frame that passed, only FileLogger does; the others get the JPEG of its judged pixels.
        """
        if passed or self.FileLogger.isEnabled:
            return self.FileLogger.isEnabled
        return self.VideoRedis.isEnabled or self._has_user_plugins

    @property
    def use_only_best(self) -> bool:
        """Whether the judged pixels of a frame are used only if Bestshot chooses the frame."""
        return self.Bestshot.isEnabled and not (self.needs_frames or self._has_user_plugins)

    @property
    def _has_user_plugins(self) -> bool:
        return any(plugin.isEnabled for plugin in self.user_plugins.values())

    @property
    def user_plugins(self) -> dict[str, UserPlugin]:
        """Users' own plugins by name, in the order of the file."""
        return self.__pydantic_extra__ or {}


def _details(line: ErrorDetails) -> InitErrorDetails:
    """Convert a reported error so that it can be raised again."""
    return InitErrorDetails(
        type=line["type"], loc=line["loc"], input=line["input"], ctx=line.get("ctx", {})
    )


class MiddlewaresSection(Section):
    """Plugins."""

    REQUEST: RequestMiddlewares = RequestMiddlewares()
    WS: WsMiddlewares = WsMiddlewares()
    """Plugins of a session."""
