"""The configuration: every section, key, default and allowed value.

Names of sections and keys are those of the file, so ``config.LIVENESS.THRESHOLDS.blur`` is the key
``blur`` of ``[LIVENESS.THRESHOLDS]``. The sections of LUNA PASS 1.x are in ``config_manual`` and
``config_plugins``; those defined here are this project's own. Reading files and environment
variables is in ``config_loading``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.config.base import AtLeastOne, Count, Flag, Positive, PrivateText, Secret, Section, Unit
from shared.config.manual import FaceEngineSection, LivenessSection, LunaPassSection
from shared.config.plugins import MiddlewaresSection
from shared.frame.estimation import Rotation

Megapixels = 1_000_000


class ChecksSection(Section):
    """Limits of checks for which LUNA PASS 1.x has a code but no key."""

    rotate: Rotation = 0
    """Degrees to turn every picture clockwise before it is judged, for a camera that is mounted
    turned. EXIF is applied first; all sizes and coordinates are those of the turned picture."""
    frameWidth: AtLeastOne = 320
    """Width of a frame in pixels, at least (code 10)."""
    frameHeight: AtLeastOne = 240
    """Height of a frame in pixels, at least (code 11)."""
    faceShare: Unit = 0.85
    """Width of the face box over the frame's shorter side, at most (code 38)."""
    eyeOpen: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Eye openness (lid distance over eye width) from which an eye counts as open."""
    pitchOffsetDeg: Annotated[float, Field(ge=-45, le=45)] = 0.0
    """Degrees added to the pitch, for a camera that looks up (negative) or down at the person."""
    moire: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Peak in the face's spectrum above which a screen is taken to be shown (code 32); 0 leaves
    the measure out. 5 is a start, see docs/estimation.md. Backends ``onnx`` and ``oip`` only."""


class WorkersSection(Section):
    """Inference workers."""

    count: Count = 0
    """Worker processes; 0 takes one per CPU but one, at least one. ``lunapass run`` counts no more
    CPUs than the quota of its control group allows."""
    cpus: list[Count] = []
    """CPUs to pin the workers to, in turn; empty takes the last ones of the machine."""
    backend: str = "onnx"
    """``onnx``, ``lunasdk``, ``oip``, or ``package.module:Class`` of one's own."""
    credit: Annotated[int, Field(ge=1, le=8)] = 2
    """Jobs a worker may hold at a time: the one it works on and those waiting at its side."""
    jobTimeout: Positive = 2.0
    """Seconds for one estimation; then the worker counts as stuck and its jobs move on."""
    heartbeatInterval: Positive = 0.5
    """Seconds between two signs of life of an idle worker."""
    heartbeatTimeout: Positive = 3.0
    """Seconds without any sign of life after which a worker counts as lost."""
    quarantineFrames: Count = 20
    """Newest frames kept of those that cost two workers their lives; 0 keeps none."""
    quarantineDirectory: str = ""
    """Private folder for them; empty is ``quarantine`` in the runtime directory."""


class ModelsSection(Section):
    """Model files of the ``onnx`` backend."""

    directory: str = "models"
    """Folder of the model files."""
    provider: Literal["auto", "cpu", "openvino", "cuda"] = "auto"
    """What runs the models; ``openvino`` is an extra, ``auto`` takes for each model the fastest."""
    rewritePrelu: Flag = True
    """Use the faster variants, rewritten (PReLU, a detector's heads) when models were pulled."""
    glasses: Flag = True
    """Use the optional eyeglasses model where it is present."""


class OipSection(Section):
    """Inference servers of the Open Inference Protocol v2, used by the backend ``oip``."""

    endpoints: Annotated[
        list[Annotated[str, Field(pattern=r"^grpcs?://[^/@\s]+:\d{1,5}$")]], Field(min_length=1)
    ] = ["grpc://127.0.0.1:8001"]
    """Servers, ``grpc://host:port`` or ``grpcs://host:port`` (TLS); the first that answers."""
    rootCertificates: str = ""
    """PEM file of the authorities for ``grpcs``; empty takes the gRPC library's own."""
    modelPrefix: str = ""
    """What stands before a role's name in the name of its model there."""
    modelVersion: str = ""
    """Version of the models; empty leaves the choice to the server."""
    timeout: Positive = 0.5
    """Seconds for one model's answer of one server."""
    restSeconds: Positive = 5.0
    """Seconds for which a server that failed is asked last."""


class KioskSection(Section):
    """The kiosk page and the browser library, served by the gateway for demo and small sites."""

    isEnabled: Flag = True
    """1 serves the page at ``/`` and the operator's page at ``/status``."""
    directory: str = ""
    """Folder of the page; empty takes the one that is installed with the service."""


PublicKey = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40})?$",
        examples=["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"],
    ),
]
"""Forty characters of Z85 (ZeroMQ RFC 32)."""


class TransportKeysSection(Section):
    """CurveZMQ keys of the lines between roles: needed over ``tcp://``, else made at each start.

    A role that is started alone with ``--config`` needs them too; see ``lunapass config key``. Each
    machine needs the public keys of both ends of its lines, and the secret keys of its own roles:
    40 characters of Z85, or better ``file:PATH`` of a file of mode 0600.
    """

    gatewayPublic: PublicKey = ""
    """Public key of the gateway."""
    gatewaySecret: Secret = SecretStr("")
    """Its secret key; the gateway alone gets it."""
    workerPublic: PublicKey = ""
    """Public key of the workers."""
    workerSecret: Secret = SecretStr("")
    """Their secret key; workers alone get it."""
    aggregatorPublic: PublicKey = ""
    """Public key of the aggregator."""
    aggregatorSecret: Secret = SecretStr("")
    """Its secret key; the aggregator alone gets it."""


class TransportSection(Section):
    """How the roles of one cell find each other."""

    runtimeDirectory: str = "run"
    """Private folder (mode 0700) of the sockets."""
    workers: str = ""
    """Address for workers, ``ipc://PATH`` or ``tcp://HOST:PORT``, which needs ``[TRANSPORT.KEYS]``;
    empty is ``ipc://`` in the runtime directory."""
    aggregator: str = ""
    """Address of the aggregator, likewise."""
    slabDirectory: str = ""
    """Has no effect; kept so that files of earlier versions load."""
    slots: Count = 0
    """Frame slots of the slab; 0 takes workers x credit + 2."""
    cells: Annotated[int, Field(ge=1, le=64)] = 1
    """Cells of this machine, side by side on one port (docs/scaling.md)."""
    cell: Annotated[int, Field(ge=0, le=63)] = 0
    """Number of this cell on its machine; set by ``lunapass run`` and by the units."""
    firstCell: Annotated[int, Field(ge=0, le=255)] = 0
    """Number of this machine's first cell among those of all machines behind one balancer."""
    cellPort: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of cell 0 alone, for a balancer; each further cell takes the next. 0: none."""
    KEYS: TransportKeysSection = TransportKeysSection()
    """CurveZMQ keys of the lines between roles: needed over ``tcp://``, else made at each start."""


class LimitsSection(Section):
    """Bounds; what happens at each is told in docs/limits.md."""

    sessions: AtLeastOne = 1000
    """Sessions in total."""
    connections: AtLeastOne = 4000
    """Open connections in total, before and after the handshake."""
    sessionsPerAddress: AtLeastOne = 200
    """Sessions under way of one client address (IPv6: of one /64)."""
    refusedSessionsPerAddress: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Refused sessions of one client address (IPv6: of one /64) within an hour; then it has to
    pause, a minute at first. 0: no bound."""
    handshakesPerSecond: Positive = 100.0
    """Handshakes in a second; twice as many at once."""
    handshakesPerAddress: Positive = 25.0
    """Handshakes of one client address (IPv6: of one /64) in a second; twice as many at once."""
    headerBytes: Annotated[int, Field(ge=512, le=1_048_576)] = 16_384
    """Bytes of a request's head; a larger one is answered 431, or 414."""
    connectTimeout: Positive = 5.0
    """Seconds from the connection to the upgrade, and from the upgrade to CONNECT."""
    framesPerSecond: Positive = 30.0
    """Frames of one session in a second; more are dropped before any work."""
    frameBurst: AtLeastOne = 10
    """Frames of one session at once."""
    messagesPerSecond: Positive = 100.0
    """Messages of one connection in a second, of any kind; twice as many at once."""
    frameBytes: AtLeastOne = 4_000_000
    """Bytes of one frame, encoded."""
    bytesPerSecond: Positive = 4_000_000.0
    """Bytes of one connection in a second, twice as many at once; more are read later."""
    bytesPerAddress: Positive = 20_000_000.0
    """Bytes of all connections of one client address (IPv6: of one /64) in a second, twice as many
    at once; more are read later."""
    heldBytes: AtLeastOne = 256_000_000
    """Bytes of frames that arrive or wait, of all connections together."""
    frameWidth: Annotated[int, Field(ge=16, le=16_384)] = 4096
    """Width of a frame in pixels, at most."""
    frameHeight: Annotated[int, Field(ge=16, le=16_384)] = 4096
    """Height of a frame in pixels, at most."""
    framePixels: Annotated[int, Field(ge=4096, le=64 * Megapixels)] = 2_304_000
    """Pixels of a frame, at most; sets the size of a slot."""
    frameFormats: Annotated[list[Literal["jpeg", "png", "webp"]], Field(min_length=1)] = [
        "jpeg",
        "png",
        "webp",
    ]
    """Formats accepted."""
    bestshotBytes: Annotated[int, Field(ge=10_000, le=4_000_000)] = 200_000
    """Bytes of the picture in the token, a JPEG; its quality falls from 95 to 50 until it fits,
    then its size. A token has 16/9 of them."""
    frameDeadline: Positive = 5.0
    """Seconds from a frame's arrival after which it is answered without a judgement."""
    textBytes: AtLeastOne = 16_384
    """Bytes of a text message."""
    textDepth: AtLeastOne = 8
    """Depth of nested values in a text message."""
    queuedBytes: AtLeastOne = 1_000_000
    """Bytes waiting for a client that does not read; then it is disconnected."""
    sessionSeconds: Positive = 300.0
    """Length of a session."""
    idleSeconds: Positive = 30.0
    """Seconds without any message of the client, unless a longer heartbeat was agreed."""
    resumeSeconds: Positive = 30.0
    """Seconds for which a session whose connection broke may be resumed."""
    reconnects: Count = 20
    """Resumptions of one session up to its verdict; as many again until it has RESULT."""
    effectBytes: AtLeastOne = 64_000_000
    """Bytes that wait to be written by each side-effect plugin; a frame over that loses its
    picture there, and is counted."""
    unsettledBytes: AtLeastOne = 256_000_000
    """Bytes of frames kept until their side effects are done, for a restarted aggregator."""
    logFrames: AtLeastOne = 5000
    """Judged frames of one session."""
    reuseSeconds: Annotated[float, Field(ge=0, le=31_536_000)] = 86_400.0
    """Seconds for which frames of a session are refused in any other one; 0 remembers none."""
    reuseFrames: Annotated[int, Field(ge=0, le=10_000_000)] = 100_000
    """Frames remembered for that, and as many accepted best shots beside them; 0 remembers none."""
    livenessRefusals: Count = 15
    """Frames of one session refused for low liveness (code 32), at most; 0 allows any number."""
    drainSeconds: Positive = 20.0
    """Seconds for running sessions to end after SIGTERM."""


class SessionStoreSection(Section):
    """Redis that lets clients resume at another machine's gateway (docs/scaling.md)."""

    connectionString: PrivateText = ""
    """Address of Redis, such as redis://10.0.0.5:6379/1, with TLS or sentinels too (docs/redis.md);
    empty: no store."""
    timeout: Positive = 1.0
    """Seconds to wait for Redis; then it counts as down."""
    required: Flag = False
    """While Redis is down: 0 answers clients all the same, 1 holds answers back until they are
    stored, for ``LIMITS.resumeSeconds`` at most (docs/security.md tells the risk of 0)."""


class TracesSection(Section):
    """OpenTelemetry traces of frames; they need the extra ``traces``."""

    isEnabled: Flag = False
    """Make traces."""
    share: Unit = 0.01
    """Share of the frames to trace."""
    endpoint: PrivateText = "http://127.0.0.1:4318/v1/traces"
    """Address that takes OTLP over HTTP."""


class SupervisorSection(Section):
    """How ``lunapass run`` keeps the roles alive."""

    respawnDelay: Positive = 0.2
    """Seconds before the first restart of a role; doubled for each further one."""
    respawnDelayMax: Positive = 10.0
    """Greatest pause before a restart."""
    crashLimit: AtLeastOne = 5
    """Deaths within ``crashWindow`` after which a role is not restarted any more."""
    crashWindow: Positive = 60.0
    """Seconds in which deaths are counted."""
    startTimeout: Positive = 60.0
    """Seconds for a role to say that it is ready."""
    watchdogSeconds: Positive = 10.0
    """Seconds without a sign of life from a role's working loop after which it is killed."""


class Config(Section):
    """The whole configuration file."""

    LUNA_PASS: LunaPassSection = LunaPassSection()
    """The service as a whole."""
    FACEENGINE: FaceEngineSection = FaceEngineSection()
    """LUNA SDK, used when ``WORKERS.backend`` is ``lunasdk``."""
    LIVENESS: LivenessSection = LivenessSection()
    """How a session is judged."""
    MIDDLEWARES: MiddlewaresSection = MiddlewaresSection()
    """Plugins."""
    CHECKS: ChecksSection = ChecksSection()
    """Limits of checks for which LUNA PASS 1.x has a code but no key."""
    WORKERS: WorkersSection = WorkersSection()
    """Inference workers."""
    MODELS: ModelsSection = ModelsSection()
    """Model files of the ``onnx`` backend."""
    OIP: OipSection = OipSection()
    """Inference servers of the Open Inference Protocol v2, used by the backend ``oip``."""
    KIOSK: KioskSection = KioskSection()
    """The kiosk page and the browser library, served by the gateway for demo and small sites."""
    TRANSPORT: TransportSection = TransportSection()
    """How the roles of one cell find each other."""
    LIMITS: LimitsSection = LimitsSection()
    """Bounds; what happens at each is told in docs/limits.md."""
    SESSION_STORE: SessionStoreSection = SessionStoreSection()
    """Redis that lets clients resume at another machine's gateway (docs/scaling.md)."""
    TRACES: TracesSection = TracesSection()
    """OpenTelemetry traces of frames; they need the extra ``traces``."""
    SUPERVISOR: SupervisorSection = SupervisorSection()
    """How ``lunapass run`` keeps the roles alive."""
