"""Sections of LUNA PASS 1.x, names and defaults as there; ``config_plugins`` has the plugins."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.config.base import Count, Degrees, GlassesName, Secret, Section, Unit


class JwtSection(Section):
    """Signature of the final answer."""

    algorithm: Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] = "HS256"
    """Signature algorithm; the HS family signs with a shared secret, the others with a PEM key."""
    key: Secret = SecretStr("secret")
    """Shared secret, or a private key as PEM text, or ``file:PATH`` of either."""
    publishedKeys: list[str] = []
    """Further public keys of the JWK set, as PEM text or ``file:PATH``: the next key before it
    signs, and the one before until its last token has expired."""
    issuer: str = "lunapass"
    """Claim ``iss`` of the token."""
    lifetime: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Seconds until the token expires (claim ``exp``)."""


class LunaPassSection(Section):
    """The service as a whole."""

    env: Literal["development", "production"] = "production"
    """``production`` shows a client only codes and face coordinates, ``development`` everything."""
    host: str = "0.0.0.0"  # noqa: S104  the original's default; a kiosk server listens outside
    """Address to listen on: 0.0.0.0 for all of IPv4, ``::`` for all of IPv4 and IPv6."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8321
    """Port to listen on; 0 takes a free one."""
    trustedProxies: list[str] = []
    """Addresses and networks of the proxies in front, whose X-Forwarded-For, X-Forwarded-Proto
    and Forwarded are believed."""
    hosts: list[str] = []
    """Names by which the service is reached, such as ``kiosk.example`` or ``kiosk.example:8443``,
    beside localhost and the address at which a connection arrives; ``*`` takes every name."""
    origins: list[str] = []
    """Origins of pages that may connect beside those of the service's own host, such as
    ``https://kiosk.example``; ``*`` lets every page connect."""
    logLevel: Literal[0, 1, 2] = 1
    """0 logs errors, 1 adds information, 2 adds debugging."""
    JWT: JwtSection = JwtSection()
    """Signature of the final answer."""


class FaceEngineSection(Section):
    """LUNA SDK, used when ``WORKERS.backend`` is ``lunasdk``."""

    sdkBindingsPath: str = "/fsdk/pythonBindings/build"
    """Folder of the SDK's Python bindings."""
    sdkDataPath: str = "/fsdk/data"
    """Folder of the SDK's data."""
    sdkLicensePath: str = "/fsdk/data/license.conf"
    """The SDK's licence file."""
    yawSign: Literal[-1, 1] = 1
    """-1 where the SDK's yaw is negative for a head turned to the person's own left."""
    pitchSign: Literal[-1, 1] = 1
    """-1 where the SDK's pitch is negative for a raised chin."""
    rollSign: Literal[-1, 1] = 1
    """-1 where the SDK's roll is negative for a head tilted to the person's own left."""


class ThresholdsSection(Section):
    """Least or greatest values with which a frame passes; equality passes."""

    blur: Unit = 0.61
    """Sharpness, at least."""
    light: Unit = 0.57
    """Freedom from over-exposure, at least."""
    dark: Unit = 0.5
    """Freedom from under-exposure, at least."""
    illumination: Unit = 0.1
    """Evenness of light, at least."""
    specularity: Unit = 0.1
    """Freedom from glare, at least."""
    ags: Unit = 0.8
    """Fitness of the frame for face comparison, at least."""
    frameMargin: Count = 10
    """Pixels from the face box to each border of the frame, at least."""
    faceWidth: Count = 200
    """Width of the face box in pixels, at least."""
    faceHeight: Count = 200
    """Height of the face box in pixels, at least."""
    yaw: Degrees = 20.0
    """Turn of the head in degrees, absolute value at most."""
    pitch: Degrees = 20.0
    """Nod of the head in degrees, absolute value at most."""
    roll: Degrees = 20.0
    """Tilt of the head in degrees, absolute value at most; 180 accepts upside-down faces."""
    mouth: Unit = 0.4
    """Scores of an opened, smiling and occluded mouth, each at most."""
    glasses: Annotated[list[GlassesName], Field(min_length=1)] = ["no_glasses", "eyeglasses"]
    """Kinds that pass; ``GlassesEstimation.NoGlasses`` and so on are understood too."""
    livenessScore: Unit = 0.5
    """Liveness score, at least."""
    livenessQualityScore: Unit = 0.5
    """Liveness quality score, at least."""
    multifacePolicy: Literal[0, 1, 2] = 0
    """0 exactly one face, 1 the largest face, 2 the face closest to the centre."""


class LivenessSection(Section):
    """How a session is judged."""

    maxAttempts: Annotated[int, Field(ge=-1)] = -1
    """Most frames judged in a session; the last one's result is final. -1: until success."""
    maxLivenessAttempts: Annotated[int, Field(ge=-1)] = -1
    """Most frames of a session that reach the liveness estimation. -1: until success."""
    THRESHOLDS: ThresholdsSection = ThresholdsSection()
    """Least or greatest values with which a frame passes; equality passes."""
