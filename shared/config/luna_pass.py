"""Sections of LUNA PASS 1.x with its names and defaults; ``plugins`` has the plugins."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.config.base import Count, Degrees, Flag, GlassesName, Percent, Secret, Section, Unit


class JwtSection(Section):
    """Signature of the token."""

    algorithm: Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] = "HS256"
    """Signature algorithm; the HS family signs with a shared secret, the others with a PEM key."""
    key: Secret = SecretStr("secret")
    """Shared secret, or a private key as PEM text, or ``file:PATH`` of either."""
    publishedKeys: list[str] = []
    """Further public keys of the JWK set, as PEM text or ``file:PATH``: the next key before it is
    used, and the previous one until its last token has expired."""
    issuer: str = "lunapass"
    """Claim ``iss`` of the token."""
    lifetime: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Seconds until the token expires (claim ``exp``)."""


class LunaPassSection(Section):
    """The service as a whole."""

    env: Literal["development", "production"] = "production"
    """``production`` sends clients only codes and face coordinates, ``development`` all values."""
    host: str = "0.0.0.0"  # noqa: S104  the original's default; a kiosk server listens outside
    """Address to listen on: 0.0.0.0 for all IPv4 addresses, ``::`` for all of IPv4 and IPv6."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8321
    """Port to listen on; 0 means any free port."""
    trustedProxies: list[str] = []
    """Addresses and networks of your proxies, whose headers X-Forwarded-For, X-Forwarded-Proto and
    Forwarded are trusted."""
    hosts: list[str] = []
    """Host names of the service, such as ``kiosk.example`` or ``kiosk.example:8443``. localhost and
    the address at which a connection arrives need no entry; ``*`` allows every name."""
    origins: list[str] = []
    """Origins of further pages that may connect, such as ``https://kiosk.example``. Pages of the
    service's own host need no entry; ``*`` allows every page."""
    logLevel: Literal[0, 1, 2] = 1
    """0 logs errors, 1 also information, 2 also debug messages."""
    logFile: str = ""
    """File that gets a copy of the log; relative to the working directory. Empty: none."""
    glassesNames: Literal["1.x", "2.x"] = "2.x"
    """Spelling of ``details.eyeglasses`` in statuses and tokens: ``no_glasses`` as LUNA PASS 2.x,
    or ``GlassesEstimation.NoGlasses`` as 1.x."""
    JWT: JwtSection = JwtSection()


class FaceEngineSection(Section):
    """LUNA SDK, used when ``WORKERS.backend`` is ``lunasdk``."""

    sdkBindingsPath: str = "/fsdk/pythonBindings/build"
    """Folder of the SDK's Python bindings."""
    sdkDataPath: str = "/fsdk/data"
    """Folder of the SDK's data."""
    sdkLicensePath: str = "/fsdk/data/license.conf"
    """Licence file of the SDK."""
    yawSign: Literal[-1, 1] = 1
    """-1 if the SDK's yaw is negative when the head turns to the person's own left."""
    pitchSign: Literal[-1, 1] = 1
    """-1 if the SDK's pitch is negative when the chin is raised."""
    rollSign: Literal[-1, 1] = 1
    """-1 if the SDK's roll is negative when the head tilts to the person's own left."""


class ThresholdsSection(Section):
    """Thresholds of a frame's checks; a value equal to the threshold passes."""

    blur: Unit = 0.61
    """Minimum sharpness."""
    light: Unit = 0.57
    """Minimum score for light; it falls with over-exposure."""
    dark: Unit = 0.5
    """Minimum score for darkness; it falls with under-exposure."""
    illumination: Unit = 0.1
    """Minimum evenness of light."""
    specularity: Unit = 0.1
    """Minimum score for specularity; it falls with glare."""
    ags: Unit = 0.8
    """Minimum suitability of the frame for face comparison."""
    frameMargin: Count = 10
    """Minimum distance of the face box from each border of the frame, in pixels."""
    ROI: Annotated[list[Percent], Field(min_length=4, max_length=4)] = [0.0, 0.0, 100.0, 100.0]
    """Region of interest, in which the face box must lie: left, top, width and height in percent
    of the frame (codes 14 to 17). Other faces count wherever they are."""
    faceWidth: Count = 200
    """Minimum width of the face box in pixels."""
    faceHeight: Count = 200
    """Minimum height of the face box in pixels."""
    yaw: Degrees = 20.0
    """Maximum turn of the head in degrees, to either side."""
    pitch: Degrees = 20.0
    """Maximum nod of the head in degrees, up or down."""
    roll: Degrees = 20.0
    """Maximum tilt of the head in degrees, to either side; 180 accepts upside-down faces."""
    mouth: Unit = 0.4
    """Maximum score of an open, a smiling and an occluded mouth."""
    glasses: Annotated[list[GlassesName], Field(min_length=1)] = ["no_glasses", "eyeglasses"]
    """Kinds of glasses that pass; the form ``GlassesEstimation.NoGlasses`` is accepted, too."""
    acceptOneEyeOpen: Flag = True
    """1 passes a face with one open eye, 0 requires both (code 51)."""
    livenessScore: Unit = 0.5
    """Minimum liveness score."""
    livenessQualityScore: Unit = 0.5
    """Minimum liveness quality score."""
    multifacePolicy: Literal[0, 1, 2] = 0
    """0 requires exactly one face, 1 judges the largest face, 2 the one closest to the centre."""


class LivenessSection(Section):
    """How a session is judged."""

    maxAttempts: Annotated[int, Field(ge=-1)] = -1
    """Maximum frames judged in a session; the result of the last one is final. -1: no limit."""
    maxLivenessAttempts: Annotated[int, Field(ge=-1)] = -1
    """Maximum frames of a session that reach the liveness estimation. -1: no limit."""
    THRESHOLDS: ThresholdsSection = ThresholdsSection()
