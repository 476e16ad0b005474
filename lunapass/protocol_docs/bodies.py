"""The claims of the token and the JSON bodies of the HTTP paths, as types."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from lunapass.protocol_docs.details import Closed, Details
from lunapass.protocol_docs.messages import Codes, Identity
from shared.frame.intake import Format


class BestshotSource(Closed):
    """The file that the client sent for the best shot."""

    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Meta(ge=1)]
    format: Format


class PolicyPlugin(Closed):
    """A plugin that judged the session."""

    name: str
    args: dict[str, Any]


class OtherPolicy(Closed):
    """What judged other frames of the session than the accepted one."""

    digest: str
    rules: str
    models: str


class PolicyClaim(Closed, omit_defaults=True):
    """What judged the session."""

    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    rules: str
    models: str
    plugins: list[PolicyPlugin]
    limits: dict[str, int]
    version: str
    others: list[OtherPolicy] = field(default_factory=list)


class ConsentClaim(Struct):
    """The text that the person accepted: its version, and when by the client's clock."""

    version: str
    at: int


class TokenClaims(Struct, rename={"is_ok": "isOk", "bestshot_source": "bestshotSource"}):
    """Claims of the token; they prove nothing until its signature is verified."""

    is_ok: Literal[True]
    errors: Annotated[list[int], Meta(max_length=0)]
    bestshot: Annotated[str, Meta(description="JPEG of the judged pixels, Base64")]
    bestshot_source: BestshotSource
    details: Details
    iss: str
    iat: int
    exp: int
    jti: str
    sid: Identity
    policy: PolicyClaim
    sub: str | None = None
    nonce: str | None = None
    aud: str | list[str] | None = None
    kiosk: str | None = None
    consent: ConsentClaim | None = None


class ServerResultBody(Struct, rename={"is_ok": "isOk"}, omit_defaults=True):
    """What became of a session; ``isOk``, ``jwt`` and ``errors`` are there once it is decided.

    ``start`` has the claims ``aud``, ``sub``, ``nonce`` and ``kiosk`` of its start token, and
    ``consent``.
    """

    state: Literal["decided", "undecided", "unknown", "unavailable"]
    session: Identity | UnsetType = UNSET
    start: dict[str, Any] | UnsetType = UNSET
    is_ok: bool | UnsetType = UNSET
    jwt: str | UnsetType | None = UNSET
    errors: Codes | UnsetType = UNSET
