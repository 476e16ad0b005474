"""Sections ``MIDDLEWARES.*``: the plugins with the exact names and defaults of LUNA PASS 1.x."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

from shared.config.base import (
    AtLeastOne,
    Confidential,
    Count,
    Degrees,
    Duration,
    Flag,
    Positive,
    PrivateText,
    Secret,
    Section,
    Unit,
)


class Switch(Section):
    """A plugin without arguments."""

    isEnabled: Flag = False
    """1 turns the plugin on."""


class BasicAuthArgs(Section):
    """Arguments of BasicAuth."""

    username: str | None = None
    """User name to ask for; none asks for no password."""
    password: Secret | None = None
    """Password to ask for."""
    origin: str | None = None
    """Page that a browser must come from: an origin such as https://kiosk.example.org, or an
    address or domain alone for http and https at any port."""
    wrongTries: AtLeastOne = 10
    """Wrong passwords of one address at once; then it is answered 429 for a while."""
    wrongTriesPerMinute: Positive = 6.0
    """Wrong passwords that an address has again after a minute."""


class BasicAuthPlugin(Switch):
    """HTTP Basic authentication and Origin check of the upgrade request."""

    args: BasicAuthArgs = BasicAuthArgs()
    """Arguments."""


class FileLoggerArgs(Section):
    """Arguments of FileLogger."""

    path: str = "./LOGS"
    """Folder in which each session gets a folder of its own."""
    maxAgeDays: Annotated[float, Field(ge=0)] = 30.0
    """Days after which a session's folder is removed; 0 keeps it for good."""
    maxBytes: Count = 10_000_000_000
    """Bytes of all folders together, never more: the oldest refused sessions go first, then the
    oldest accepted ones. 0 sets no bound."""


class FileLoggerPlugin(Switch):
    """Every frame and its estimate into files."""

    args: FileLoggerArgs = FileLoggerArgs()
    """Arguments."""


class Luna3Args(Section):
    """Arguments of Luna3DescriptorQualityCheck."""

    connectionString: PrivateText = "http://127.0.0.1:5000"
    """Address of LUNA PLATFORM 3."""
    authToken: Secret | None = None
    """Account token."""
    descriptorQualityThreshold: Unit | None = None
    """Quality of the photo, at least."""
    qualityField: Literal["score", "light", "dark", "saturation", "blurriness"] = "score"
    """Field of the answer that the threshold is compared with."""
    timeout: Positive = 3.0
    """Seconds to wait for an answer."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Further tries after an outage."""


class Luna3Plugin(Switch):
    """Photo quality judged by an external LUNA PLATFORM 3."""

    args: Luna3Args = Luna3Args()
    """Arguments."""


class AggregateLivenessArgs(Section):
    """Arguments of AggregateLiveness."""

    framesCount: Annotated[int, Field(ge=1, le=1000)] = 3
    """Frames whose mean liveness decides."""
    earlyDecision: Flag = False
    """1 decides sooner, either way, once the frames agree enough (a sequential test)."""
    minIntervalMs: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Milliseconds between two frames that count, at least."""


class AggregateLivenessPlugin(Switch):
    """Liveness over several frames of one face."""

    args: AggregateLivenessArgs = AggregateLivenessArgs()
    """Arguments."""


class ActiveLivenessArgs(Section):
    """Arguments of ActiveLiveness."""

    cooldownFramesCount: Count = 0
    """Least number of straight, live frames after the last action before the verdict."""
    interactionsCount: Annotated[int, Field(ge=1, le=5)] = 2
    """Actions asked."""
    acceptOneEyed: Flag = False
    """1 lets a blink with one eye count."""
    yawStartDeg: Degrees = 10.0
    """A turn begins within this angle, in degrees."""
    yawThresholdDeg: Degrees = 20.0
    """A turn is complete past this angle, in degrees."""
    pitchStartDeg: Degrees = 10.0
    """A nod begins within this angle, in degrees."""
    pitchThresholdDeg: Degrees = 20.0
    """A nod is complete past this angle, in degrees."""
    actionTimeout: Positive = 15.0
    """Seconds for one action; then the session fails with code 60."""
    totalTimeout: Positive = 60.0
    """Seconds for all actions; then the session fails with code 60."""
    wrongActionsAllowed: Annotated[int, Field(ge=0, le=10)] = 1
    """Wrong actions that begin a new sequence instead of ending the session with code 60."""


class ActiveLivenessPlugin(Switch):
    """The person must act: blink, turn left or right, chin up or down."""

    args: ActiveLivenessArgs = ActiveLivenessArgs()
    """Arguments."""


class ResultPlugin(Switch):
    """Decides from the other plugins' data."""

    isEnabled: Flag = True
    """1 turns the plugin on."""


class VideoRedisArgs(Section):
    """Arguments of VideoRedis."""

    connectionString: PrivateText = "redis://127.0.0.1:6379"
    """Address of Redis: ``redis://``, ``rediss://``, ``unix://``, or
    ``redis+sentinel://host:port,host:port/master``."""
    queueName: str = "default"
    """Queue of the video workers."""
    resultTtl: Duration = "500s"
    """How long Redis keeps the results of jobs."""
    failureTtl: Duration = "1y"
    """How long Redis keeps failed jobs."""
    sessionTimeout: Annotated[float, Field(ge=0)] = 300.0
    """Seconds after a session ends without best shot before its video is built."""
    workerTask: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$", examples=["task.run"])] = (
        "task.run"
    )
    """The task that the video worker runs, as module and function."""
    framesLimit: Count = 0
    """0 keeps all frames, N the last N."""
    sessionBytes: Count = 200_000_000
    """Bytes of all frames of one session; what is over is dropped and counted. 0: no bound."""
    framesTtl: Duration = "7d"
    """How long Redis keeps the frames of a session whose video nobody builds."""
    spoolPath: str = "./VIDEO_SPOOL"
    """Folder that takes the frames while Redis cannot be reached."""
    spoolBytes: Count = 1_000_000_000
    """Bytes of the spool; what is over is dropped and counted."""


class VideoRedisPlugin(Switch):
    """Frames of the session to Redis, for the video worker."""

    args: VideoRedisArgs = VideoRedisArgs()
    """Arguments."""


class FaceMatcherArgs(Section):
    """Arguments of FaceMatcher."""

    similarity: Annotated[float, Field(ge=-1, le=1)] = 0.5
    """Cosine similarity of a straight face with the session's first, at least; AggregateLiveness
    counts frames together by it, whether FaceMatcher is on or not."""


class FaceMatcherPlugin(Switch):
    """The same person from the first frame to the verdict."""

    args: FaceMatcherArgs = FaceMatcherArgs()
    """Arguments."""


class VirtualCameraArgs(Section):
    """Arguments of VirtualCameraChecker."""

    threshold: Unit = 0.7
    """Evidence of a virtual camera from which the session fails."""
    labelsPath: str | None = None
    """File with one forbidden camera label (part) a line; none uses the built-in list."""


class VirtualCameraPlugin(Switch):
    """Evidence of a virtual camera or an injected stream."""

    args: VirtualCameraArgs = VirtualCameraArgs()
    """Arguments."""


class CallbacksArgs(Section):
    """Arguments of Callbacks."""

    url: PrivateText | None = None
    """Address that gets the final answer by POST."""
    key: Secret | None = None
    """Secret of the HMAC-SHA256 signature in the header ``X-Signature``."""
    timeout: Positive = 5.0
    """Seconds for one try in all, from the look-up of the host to the head of the reply; of these,
    connecting and the TLS handshake may take half each."""
    retries: Count = 20
    """Further tries, with growing pauses."""
    couriers: Annotated[int, Field(ge=2, le=64)] = 4
    """Answers sent at the same time; accepted sessions go first, and one courier at least is never
    taken by refused sessions, nor by accepted ones."""
    withoutFrames: Flag = False
    """1 sends the answers of sessions without a readable frame too."""
    queuePath: str = "./CALLBACKS"
    """Folder of the answers not yet delivered."""
    queueBytes: Count = 100_000_000
    """Bytes of that folder, of which answers of refused sessions take half at most; what is over
    is dropped and counted."""


class CallbacksPlugin(Switch):
    """The final answer to a web address."""

    args: CallbacksArgs = CallbacksArgs()
    """Arguments."""


USER_PLUGIN_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""Shape of the name of a plugin of the user's own: ``package.module:Class``."""

ENTRY_POINTS = "lunapass.plugins"
"""Group of the entry points that name plugins of the user's own."""


class UserPlugin(Switch):
    """A plugin of the user's own, named ``package.module:Class`` or by its entry point."""

    args: Annotated[dict[str, Any], Confidential()] = {}
    """Arguments, judged by the plugin's own model."""


class RequestMiddlewares(Section):
    """Plugins of the upgrade request."""

    BasicAuth: BasicAuthPlugin = BasicAuthPlugin()
    """HTTP Basic authentication and Origin check."""


class WsMiddlewares(Section):
    """Plugins of a session; keys other than these are plugins of the user's own.

    Such a key is ``package.module:Class`` or an entry point of the group ``lunapass.plugins``. The
    order here is that of the file; the order in which plugins run is the aggregator's matter.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, UserPlugin] = Field(init=False)

    FileLogger: FileLoggerPlugin = FileLoggerPlugin()
    """Every frame and its estimate into files."""
    Bestshot: Switch = Switch()
    """Best frame by liveness among those sent."""
    Luna3DescriptorQualityCheck: Luna3Plugin = Luna3Plugin()
    """Photo quality judged by an external LUNA PLATFORM 3."""
    AggregateLiveness: AggregateLivenessPlugin = AggregateLivenessPlugin()
    """Liveness over several frames."""
    ActiveLiveness: ActiveLivenessPlugin = ActiveLivenessPlugin()
    """The person must act."""
    Result: ResultPlugin = ResultPlugin()
    """Decides from the other plugins' data."""
    VideoRedis: VideoRedisPlugin = VideoRedisPlugin()
    """Frames of the session to Redis, for the video worker."""
    FaceMatcher: FaceMatcherPlugin = FaceMatcherPlugin()
    """The same person from the first frame to the verdict."""
    VirtualCameraChecker: VirtualCameraPlugin = VirtualCameraPlugin()
    """Evidence of a virtual camera or an injected stream."""
    Callbacks: CallbacksPlugin = CallbacksPlugin()
    """The final answer to a web address."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Take an extra name for a plugin of the user's own only when it looks like one.

        A misspelled name of a built-in plugin would otherwise leave its check out, unnoticed.
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
        """Whether a side-effect plugin is on that needs the frames."""
        return self.FileLogger.isEnabled or self.VideoRedis.isEnabled

    @property
    def has_effects(self) -> bool:
        """Whether any side-effect plugin is on."""
        return self.needs_frames or self.Callbacks.isEnabled

    def look_at_received(self, *, passed: bool) -> bool:
        """Tell whether a plugin looks at what the client sent for a frame.

        Only FileLogger does for a frame that passed; the others get the JPEG of its judged pixels.
        """
        if passed or self.FileLogger.isEnabled:
            return self.FileLogger.isEnabled
        by_users = any(plugin.isEnabled for plugin in self.user_plugins.values())
        return self.VideoRedis.isEnabled or by_users

    @property
    def user_plugins(self) -> dict[str, UserPlugin]:
        """The user's own plugins by name, in the file's order."""
        return self.__pydantic_extra__ or {}


def _details(line: ErrorDetails) -> InitErrorDetails:
    """Turn a reported fault back into one that can be raised again."""
    return InitErrorDetails(
        type=line["type"], loc=line["loc"], input=line["input"], ctx=line.get("ctx", {})
    )


class MiddlewaresSection(Section):
    """Plugins."""

    REQUEST: RequestMiddlewares = RequestMiddlewares()
    """Plugins of the upgrade request."""
    WS: WsMiddlewares = WsMiddlewares()
    """Plugins of a session."""
