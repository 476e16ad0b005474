"""The configuration: every section, key, default and allowed value.

Names of sections and keys are those of the file, so ``config.LIVENESS.THRESHOLDS.blur`` is the key
``blur`` of ``[LIVENESS.THRESHOLDS]``. The sections of LUNA PASS 1.x are in ``luna_pass`` and
``plugins``, this project's own are here. ``loading`` reads files and environment variables.
"""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.config.base import AtLeastOne, Count, Flag, Positive, PrivateText, Secret, Section, Unit
from shared.config.luna_pass import FaceEngineSection, LivenessSection, LunaPassSection
from shared.config.middlewares import MiddlewaresSection
from shared.config.retention import RetentionSection
from shared.frame.estimation import Rotation

Megapixels = 1_000_000


class ChecksSection(Section):
    """Thresholds of checks that have a code but no key in LUNA PASS 1.x."""

    rotate: Rotation = 0
    """Degrees by which every image is rotated clockwise before it is judged, for a camera that is
    mounted rotated. EXIF is applied first; sizes and coordinates refer to the rotated image."""
    frameWidth: AtLeastOne = 320
    """Minimum width of a frame in pixels (code 10)."""
    frameHeight: AtLeastOne = 240
    """Minimum height of a frame in pixels (code 11)."""
    faceShare: Unit = 0.85
    """Maximum ratio of the face box's width to the frame's shorter side (code 38)."""
    eyeOpen: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Minimum ratio of lid distance to eye width at which an eye counts as open."""
    pitchOffsetDeg: Annotated[float, Field(ge=-45, le=45)] = 0.0
    """Degrees added to the pitch; negative for a camera that looks up at the person."""
    moire: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Maximum peak in the face's spectrum; a higher one counts as a screen (code 32). 0 turns the
    check off; try 5 first, see docs/estimation.md. Backends ``onnx`` and ``oip`` only, and
    faceWidth and faceHeight of at least 192."""


class WorkersSection(Section):
    """Inference workers."""

    count: Count = 0
    """Number of worker processes; 0 means the number of CPUs minus one, but at least one.
    ``lunapass run`` counts no more CPUs than the quota of its control group allows."""
    cpus: list[Count] = []
    """CPUs to which the workers are pinned, in turn; empty means the last ones of the machine."""
    backend: str = "onnx"
    """``onnx``, ``lunasdk``, ``oip``, or ``package.module:Class`` for your own backend."""
    credit: Annotated[int, Field(ge=1, le=8)] = 2
    """Maximum number of jobs that a worker holds: the running one and those that wait."""
    jobTimeout: Positive = 2.0
    """Seconds for one estimation; after that the worker counts as stuck and its jobs move on."""
    heartbeatInterval: Positive = 0.5
    """Seconds between two heartbeats of an idle worker."""
    heartbeatTimeout: Positive = 3.0
    """Seconds without a heartbeat after which a worker counts as lost."""
    quarantineFrames: Count = 20
    """Number of frames kept, newest first, that killed two workers; 0 keeps none."""
    quarantineDirectory: str = ""
    """Private folder for these frames; empty means ``quarantine`` in the runtime directory."""


class ModelsSection(Section):
    """Model files of the ``onnx`` backend."""

    directory: str = "models"
    """Folder of the model files. If the key is missing and there is no folder ``models`` here, the
    one beside the program's virtual environment, where archive and package have it."""
    provider: Literal["auto", "cpu", "openvino", "cuda"] = "auto"
    """What runs the models. ``auto`` takes the fastest for each model; ``openvino`` is an extra."""
    rewritePrelu: Flag = True
    """Use the faster variants that ``lunapass models pull`` makes (PReLU, the detector's heads).
    Quick looks need that of the detector."""
    glasses: Flag = True
    """Use the optional eyeglasses model if it is present."""
    thirdLiveness: Flag = False
    """Judge liveness by a third network, too, which ``lunapass models pull --with facenox``
    fetches: some 8 ms for each frame that reaches liveness. It was trained on CelebA-Spoof, a data
    set for non-commercial use only. Backend ``onnx`` only."""
    siteHead: str = ""
    """File that ``lunapass adapt`` wrote: corrects the liveness score for one place; empty: none.
    Backend ``onnx`` only."""


class OipSection(Section):
    """Inference servers of the Open Inference Protocol v2, for the backend ``oip``."""

    endpoints: Annotated[
        list[Annotated[str, Field(pattern=r"^grpcs?://[^/@\s]+:\d{1,5}$")]], Field(min_length=1)
    ] = ["grpc://127.0.0.1:8001"]
    """Servers, ``grpc://host:port`` or ``grpcs://host:port`` (TLS); the first that answers."""
    rootCertificates: str = ""
    """PEM file of the certificate authorities for ``grpcs``; empty: the gRPC library's."""
    modelPrefix: str = ""
    """Prefix of the model names on the servers; the name of the model's role follows it."""
    modelVersion: str = ""
    """Version of the models; empty means that the server chooses."""
    timeout: Positive = 0.5
    """Seconds to wait for one model's answer from one server."""
    restSeconds: Positive = 5.0
    """Seconds for which a server that failed is tried last."""


class KioskSection(Section):
    """The kiosk page and the browser library, as the gateway serves them."""

    isEnabled: Flag = True
    """1 serves the kiosk page at ``/``, the set-up page at ``/setup`` and the operator's page at
    ``/status``."""
    directory: str = ""
    """Folder of the page; empty means the one that is installed with the service."""
    branding: str = ""
    """Folder with your own `page.json`, logo, fonts and texts; its files come before the page's."""


PublicKey = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40})?$",
        examples=["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"],
    ),
]
"""Forty characters of Z85 (ZeroMQ RFC 32)."""


class TransportKeysSection(Section):
    """CurveZMQ keys of the connections between roles: required over ``tcp://``, else optional.

    Without keys here, new ones are made at each start. A role that is started alone with
    ``--config`` needs them, too. ``lunapass config key --transport DIRECTORY`` makes them. Each
    machine needs the public keys of both ends of its connections and the secret keys of its own
    roles: 40 characters of Z85, or better ``file:PATH`` of a file of mode 0600.
    """

    gatewayPublic: PublicKey = ""
    """Public key of the gateway."""
    gatewaySecret: Secret = SecretStr("")
    """Secret key of the gateway; no other role gets it."""
    workerPublic: PublicKey = ""
    """Public key of the workers."""
    workerSecret: Secret = SecretStr("")
    """Secret key of the workers; no other role gets it."""
    aggregatorPublic: PublicKey = ""
    """Public key of the aggregator."""
    aggregatorSecret: Secret = SecretStr("")
    """Secret key of the aggregator; no other role gets it."""


class TransportSection(Section):
    """How the roles of one cell connect to each other."""

    runtimeDirectory: str = "run"
    """Private folder (mode 0700) for the sockets."""
    workers: str = ""
    """Address to which workers connect: ``ipc://PATH``, or ``tcp://HOST:PORT`` with
    ``[TRANSPORT.KEYS]``. Empty means ``ipc://`` in the runtime directory."""
    aggregator: str = ""
    """Address of the aggregator, of the same form."""
    slabDirectory: str = ""
    """Has no effect; it exists so that files of earlier versions load."""
    slots: Count = 0
    """Frame slots of the slab; 0 means workers x credit + 2."""
    cells: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of cells of this machine, which share one port (docs/scaling.md)."""
    cell: Annotated[int, Field(ge=0, le=63)] = 0
    """Number of this cell on its machine; set by ``lunapass run`` and by the units."""
    firstCell: Annotated[int, Field(ge=0, le=255)] = 0
    """Number of this machine's first cell, counted over all machines behind one load balancer."""
    cellPort: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of cell 0 only, for a load balancer; further cells take the next ports. 0 opens none."""
    KEYS: TransportKeysSection = TransportKeysSection()


class LimitsSection(Section):
    """Limits; docs/limits.md says what happens at each."""

    sessions: AtLeastOne = 1000
    """Maximum number of undecided sessions."""
    connections: AtLeastOne = 4000
    """Maximum number of open connections, before and after the handshake."""
    sessionsPerAddress: AtLeastOne = 200
    """Maximum number of undecided sessions per client address (IPv6: per /64)."""
    refusedSessionsPerAddress: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Maximum number of refused sessions per client address (IPv6: per /64) and hour; then the
    address must pause, first for a minute. 0 means no limit."""
    refusedSessionsPerPerson: Annotated[int, Field(ge=0, le=10_000)] = 0
    """The same per person (``sub`` of the start token), at any address. 0 means no limit."""
    refusedSessionsPerKiosk: Annotated[int, Field(ge=0, le=10_000)] = 0
    """The same per ``kiosk`` of the start token. 0 means no limit; use it only if each value is one
    device."""
    handshakesPerSecond: Positive = 100.0
    """Maximum number of handshakes per second; a burst may have twice as many."""
    handshakesPerAddress: Positive = 25.0
    """The same per client address (IPv6: per /64)."""
    headerBytes: Annotated[int, Field(ge=512, le=1_048_576)] = 16_384
    """Maximum size of a request's head in bytes; a larger one is answered 431 or 414."""
    connectTimeout: Positive = 5.0
    """Seconds from the connection to the upgrade, and from the upgrade to CONNECT."""
    framesPerSecond: Positive = 30.0
    """Maximum number of frames per session and second; more are dropped before any work."""
    frameBurst: AtLeastOne = 10
    """Maximum number of frames of one session in a burst."""
    messagesPerSecond: Positive = 100.0
    """Maximum number of messages of any kind per connection and second; twice that in a burst."""
    frameBytes: AtLeastOne = 4_000_000
    """Maximum size of an encoded frame in bytes."""
    bytesPerSecond: Positive = 4_000_000.0
    """Bytes read per connection and second, twice that in a burst; the rest is read later."""
    bytesPerAddress: Positive = 20_000_000.0
    """The same for all connections of one client address (IPv6: of one /64) together."""
    heldBytes: AtLeastOne = 256_000_000
    """Maximum total size in bytes of frames that arrive or wait, over all connections."""
    frameWidth: Annotated[int, Field(ge=16, le=16_384)] = 4096
    """Maximum width of a frame in pixels."""
    frameHeight: Annotated[int, Field(ge=16, le=16_384)] = 4096
    """Maximum height of a frame in pixels."""
    framePixels: Annotated[int, Field(ge=4096, le=64 * Megapixels)] = 2_304_000
    """Maximum number of pixels of a frame; it determines the size of a slot."""
    frameFormats: Annotated[list[Literal["jpeg", "png", "webp"]], Field(min_length=1)] = [
        "jpeg",
        "png",
        "webp",
    ]
    """Accepted formats."""
    bestshotBytes: Annotated[int, Field(ge=10_000, le=4_000_000)] = 200_000
    """Maximum size in bytes of the JPEG in the token. Its quality is lowered from 95 to 50 until it
    fits, then its size is reduced. In the token it takes 16/9 of these bytes."""
    frameDeadline: Positive = 5.0
    """Seconds after a frame's arrival after which it is dropped if it was not judged."""
    textBytes: AtLeastOne = 16_384
    """Maximum size of a text message in bytes."""
    textDepth: AtLeastOne = 8
    """Maximum nesting depth of a text message."""
    queuedBytes: AtLeastOne = 1_000_000
    """Maximum number of bytes queued for a client that does not read; then it is disconnected."""
    sessionSeconds: Positive = 300.0
    """Maximum length of a session in seconds."""
    idleSeconds: Positive = 30.0
    """Maximum seconds without a message from the client. CONNECTED grants heartbeats at intervals
    of at most 0.4 times as long."""
    resumeSeconds: Positive = 30.0
    """Seconds for which a session can be resumed after its connection broke."""
    reconnects: Count = 20
    """Maximum number of resumptions of a session up to its verdict; as many again until RESULT."""
    effectBytes: AtLeastOne = 64_000_000
    """Maximum number of bytes queued for each side-effect plugin; a frame beyond that is recorded
    without its image, and counted."""
    unsettledBytes: AtLeastOne = 256_000_000
    """Maximum bytes of frames kept for a restarted aggregator until their side effects are done."""
    logFrames: AtLeastOne = 5000
    """Maximum number of judged frames of a session."""
    reuseSeconds: Annotated[float, Field(ge=0, le=31_536_000)] = 86_400.0
    """Seconds for which a frame of one session is refused in all others; 0 remembers none."""
    reuseFrames: Annotated[int, Field(ge=0, le=10_000_000)] = 100_000
    """Number of frames remembered for that, plus as many accepted best shots; 0 remembers none."""
    livenessRefusals: Count = 15
    """Maximum frames of a session refused for low liveness (code 32); 0 means no limit."""
    drainSeconds: Positive = 20.0
    """Seconds that running sessions have to end after SIGTERM."""


class SessionStoreSection(Section):
    """Redis with which clients can resume at another machine's gateway (docs/scaling.md)."""

    connectionString: PrivateText = ""
    """Address of Redis, such as redis://10.0.0.5:6379/1; TLS and sentinels are possible
    (docs/redis.md). Empty means no store."""
    timeout: Positive = 1.0
    """Seconds to wait for Redis; then it counts as down."""
    required: Flag = False
    """While Redis is down, 0 still answers clients; 1 withholds answers until they are stored, for
    ``LIMITS.resumeSeconds`` at most (docs/security.md describes the risk of 0)."""


class MetricsSection(Section):
    """Access of a Prometheus on another host."""

    token: Secret | None = None
    """Credential with which another host may read ``/metrics`` (``Authorization: Bearer``): at
    least 32 random characters, or better ``file:PATH`` of a file with them. It opens nothing
    else. Send it over TLS or within a network of your own."""


class TracesSection(Section):
    """OpenTelemetry traces of frames; they require the extra ``traces``."""

    isEnabled: Flag = False
    """1 turns traces on."""
    share: Unit = 0.01
    """Share of the frames that are traced."""
    endpoint: PrivateText = "http://127.0.0.1:4318/v1/traces"
    """Address that receives OTLP over HTTP."""


class SupervisorSection(Section):
    """How ``lunapass run`` restarts the roles."""

    respawnDelay: Positive = 0.2
    """Seconds before the first restart of a role; doubled for each further restart."""
    respawnDelayMax: Positive = 10.0
    """Maximum seconds before a restart."""
    crashLimit: AtLeastOne = 5
    """Number of deaths within ``crashWindow`` after which a role is no longer restarted."""
    crashWindow: Positive = 60.0
    """Seconds in which deaths are counted."""
    startTimeout: Positive = 60.0
    """Seconds within which a role must be ready."""
    watchdogSeconds: Positive = 10.0
    """Seconds without a watchdog message from a role's event loop after which it is killed."""


class Config(Section):
    """The whole configuration file."""

    LUNA_PASS: LunaPassSection = LunaPassSection()
    FACEENGINE: FaceEngineSection = FaceEngineSection()
    LIVENESS: LivenessSection = LivenessSection()
    MIDDLEWARES: MiddlewaresSection = MiddlewaresSection()
    CHECKS: ChecksSection = ChecksSection()
    WORKERS: WorkersSection = WorkersSection()
    MODELS: ModelsSection = ModelsSection()
    OIP: OipSection = OipSection()
    KIOSK: KioskSection = KioskSection()
    TRANSPORT: TransportSection = TransportSection()
    LIMITS: LimitsSection = LimitsSection()
    RETENTION: RetentionSection = RetentionSection()
    SESSION_STORE: SessionStoreSection = SessionStoreSection()
    METRICS: MetricsSection = MetricsSection()
    TRACES: TracesSection = TracesSection()
    SUPERVISOR: SupervisorSection = SupervisorSection()
