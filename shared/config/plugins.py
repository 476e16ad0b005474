"""Sections of the built-in plugins, with the names and defaults of LUNA PASS 1.x."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from shared.config.base import (
    AtLeastOne,
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

Args = TypeVar("Args", bound=Section)


class Switch(Section):
    """A plugin without arguments."""

    isEnabled: Flag = False
    """1 turns the plugin on."""


class PluginSection(Switch, Generic[Args]):
    """A plugin's switch and its arguments, each of which has a default."""

    args: Args = Field(default={}, validate_default=True)
    """Arguments."""


class BasicAuthArgs(Section):
    """Arguments of BasicAuth."""

    username: str | None = None
    """Required user name; if unset, no password is required."""
    password: Secret | None = None
    """Required password."""
    origin: str | None = None
    """Required origin of a browser's page, such as https://kiosk.example.org; an address or domain
    alone allows http and https at any port."""
    wrongTries: AtLeastOne = 10
    """Wrong passwords that one address may try at once; then it is answered 429 for a while."""
    wrongTriesPerMinute: Positive = 6.0
    """Wrong passwords per minute that an address gets back."""


class StartTokenArgs(Section):
    """Arguments of StartToken."""

    algorithm: Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] = "HS256"
    """Algorithm with which the relying party's server signs start tokens."""
    key: Secret | None = None
    """The shared secret, or the relying party's public key as PEM text, or file:PATH of either."""
    jwksUrl: PrivateText | None = None
    """Address of the relying party's JWK set (https), instead of ``key``; it is fetched again for
    a key that is not known yet."""
    audience: str = "lunapass"
    """Required audience (claim ``aud``)."""
    issuer: str | None = None
    """Required issuer (claim ``iss``); if unset, any."""
    maxSeconds: Annotated[int, Field(ge=10, le=3600)] = 300
    """Maximum lifetime of a start token, from ``iat`` to ``exp``."""


class ConsentArgs(Section):
    """Arguments of Consent."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", examples=["2026-11"])] = "1"
    """Name of the current version of the text; a session needs consent to this one."""


class ServerResultArgs(Section):
    """Arguments of ServerResult."""

    key: Secret | None = None
    """Credential that the relying party's server sends as ``Authorization: Bearer``: at least 32
    random characters, or better file:PATH of a file with them."""
    seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    """Time for which a result can be asked for. In the session store, sessions are then kept for
    that time after their verdict; there a change needs a restart."""
    maxBytes: Annotated[int, Field(ge=1_000_000)] = 100_000_000
    """Maximum bytes of the results that a gateway remembers; the oldest are forgotten first. An
    accepted session has some 250 kB."""


class FileLoggerArgs(Section):
    """Arguments of FileLogger."""

    path: str = "./LOGS"
    """Folder that contains one folder per session."""
    maxAgeDays: Annotated[float, Field(ge=0)] = 30.0
    """Days after which a session's folder is removed; 0 keeps it forever."""
    maxBytes: Count = 10_000_000_000
    """Maximum bytes of all folders together. Removed first are sessions that ended before a frame
    decided them, then refused ones, unknown endings and accepted ones; the oldest of each first.
    0 means no limit."""


class Luna3Args(Section):
    """Arguments of Luna3DescriptorQualityCheck."""

    connectionString: PrivateText = "http://127.0.0.1:5000"
    """Address of LUNA PLATFORM 3."""
    authToken: Secret | None = None
    """Token of the account there."""
    descriptorQualityThreshold: Unit | None = None
    """Minimum quality of the photo."""
    qualityField: Literal["score", "light", "dark", "saturation", "blurriness"] = "score"
    """Field of the answer that is compared with the threshold."""
    timeout: Positive = 3.0
    """Seconds to wait for an answer."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Retries after an outage."""


class AggregateLivenessArgs(Section):
    """Arguments of AggregateLiveness."""

    framesCount: Annotated[int, Field(ge=1, le=1000)] = 3
    """Number of frames whose mean liveness decides."""
    earlyDecision: Flag = False
    """1 decides earlier, either way, when the frames agree (a sequential test)."""
    minIntervalMs: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Minimum milliseconds between two frames that count."""


class ActiveLivenessArgs(Section):
    """Arguments of ActiveLiveness."""

    cooldownFramesCount: Count = 0
    """Number of live frontal frames after the last action that must precede the verdict."""
    interactionsCount: Annotated[int, Field(ge=1, le=5)] = 2
    """Number of actions that the person must do."""
    acceptOneEyed: Flag = False
    """1 lets a blink with one eye count."""
    yawStartDeg: Degrees = 10.0
    """A turn starts within this yaw, in degrees."""
    yawThresholdDeg: Degrees = 20.0
    """A turn is complete at this yaw, in degrees."""
    pitchStartDeg: Degrees = 10.0
    """A nod starts within this pitch, in degrees."""
    pitchThresholdDeg: Degrees = 20.0
    """A nod is complete at this pitch, in degrees."""
    actionTimeout: Positive = 15.0
    """Seconds for one action; after that the session fails with code 60."""
    totalTimeout: Positive = 60.0
    """Seconds for all actions; after that the session fails with code 60."""
    wrongActionsAllowed: Annotated[int, Field(ge=0, le=10)] = 1
    """Wrong actions that start a new sequence; one more ends the session with code 60."""


class ResultPlugin(Switch):
    """Decides from the results of the other plugins."""

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
    """Time for which Redis keeps the results of jobs."""
    failureTtl: Duration = "1y"
    """Time for which Redis keeps failed jobs."""
    sessionTimeout: Annotated[float, Field(ge=0)] = 300.0
    """Seconds between the end of a session without a best shot and the build of its video."""
    workerTask: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$", examples=["task.run"])] = (
        "task.run"
    )
    """The task that the video worker runs, as module and function."""
    framesLimit: Count = 0
    """Number of frames kept, the last ones of the session; 0 keeps all."""
    sessionBytes: Count = 200_000_000
    """Maximum bytes of a session's frames; further ones are dropped and counted. 0: no limit."""
    framesTtl: Duration = "7d"
    """Time for which Redis keeps the frames of a session if no worker builds its video."""
    spoolPath: str = "./VIDEO_SPOOL"
    """Folder for the frames while Redis cannot be reached."""
    spoolBytes: Count = 1_000_000_000
    """Maximum bytes of this folder; further frames are dropped and counted."""


class FaceMatcherArgs(Section):
    """Arguments of FaceMatcher."""

    similarity: Annotated[float, Field(ge=-1, le=1)] = 0.5
    """Minimum cosine similarity of a frontal face to the session's first one. AggregateLiveness
    uses it, too, whether FaceMatcher is on or not."""


class VirtualCameraArgs(Section):
    """Arguments of VirtualCameraChecker."""

    threshold: Unit = 0.7
    """Score of the evidence at which the session fails."""
    labelsPath: str | None = None
    """File with one forbidden (part of a) camera label per line; if unset, the built-in list."""


class AuditArgs(Section):
    """Arguments of Audit."""

    path: str = "./AUDIT"
    """Folder of the records, one subfolder for each process that writes at the same time."""
    maxBytes: Annotated[int, Field(ge=1_000_000)] = 100_000_000
    """Size at which the next file starts. No file is removed: move old ones to an archive."""
    required: Flag = False
    """1 refuses new sessions while records cannot be written, such as on a full disk."""


class CallbacksArgs(Section):
    """Arguments of Callbacks."""

    url: PrivateText | None = None
    """Address to which the final answer is sent by POST."""
    key: Secret | None = None
    """Secret for the HMAC-SHA256 signature in the header ``X-Signature``."""
    timeout: Positive = 5.0
    """Seconds for one try, from the look-up of the host to the head of the reply. Connecting may
    take half of it, and so may the TLS handshake."""
    retries: Count = 20
    """Number of retries, with growing pauses."""
    couriers: Annotated[int, Field(ge=2, le=64)] = 4
    """Number of answers sent at the same time. Accepted sessions go first; refused sessions never
    take all couriers, nor do accepted ones."""
    withoutFrames: Flag = False
    """1 also sends the answers of sessions without a readable frame."""
    queuePath: str = "./CALLBACKS"
    """Folder for answers that are not yet delivered."""
    queueBytes: Count = 100_000_000
    """Maximum bytes of this folder, of which refused sessions may take half; further answers are
    dropped and counted."""
