"""All text messages of ``lpproto.v1`` as types; ``bodies`` has the other ones.

The service writes these messages by hand, since most of them are parts of larger ones. Here they
are types, from which the schemas are generated.
"""

from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct, field

from lunapass.protocol_docs.details import Closed, Count, Score, StatusDetails
from shared.codes import Code
from shared.wire.protocol import Drop

Seconds = Annotated[float, Meta(gt=0, description="seconds")]
Identity = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{32}$",
        description="a session's id: two hex digits of the cell, then 30 random ones",
    ),
]
Codes = Annotated[list[Code], Meta(description="codes of failed checks and prompts")]
Headers = TypeVar("Headers")
Body = TypeVar("Body")


class TextMessage(Struct, Generic[Headers, Body], tag_field="command", forbid_unknown_fields=True):
    """A text message; ``body`` is null where a message has none."""

    headers: Headers
    body: Body


class CameraInfo(Struct):
    """The camera in use, for VirtualCameraChecker."""

    label: str | None = None
    frameRate: float | None = None


class ClientInfo(Struct):
    """What a client reports about itself."""

    mirrored: bool = False
    camera: CameraInfo | None = None


class ConsentHeader(Struct):
    """The text that the person has accepted: its version, and when (seconds since 1970)."""

    version: Annotated[str, Meta(max_length=64)]
    at: Annotated[float, Meta(gt=0)]


class ConnectHeaders(Struct, rename="kebab"):
    """Without ``session-id`` a new session starts; with it, that session is resumed."""

    session_id: Identity | None = None
    resume_token: str | None = None
    heartbeat_interval: Seconds | None = None
    client: ClientInfo | None = None
    start_token: Annotated[str, Meta(max_length=8192)] | None = None
    consent: ConsentHeader | None = None


class ConnectMessage(TextMessage[ConnectHeaders, None], tag="CONNECT"):
    """Must be the first message, within 5 s."""

    headers: ConnectHeaders = field(default_factory=ConnectHeaders)
    body: None = None


class ClientHeartbeatMessage(TextMessage[dict[str, Any], None], tag="HEARTBEAT"):
    """Shows that the client is alive; answered with HEARTBEAT."""

    headers: dict[str, Any] = field(default_factory=dict)
    body: None = None


class DisconnectMessage(TextMessage[dict[str, Any], None], tag="DISCONNECT"):
    """Ends the session without success."""

    headers: dict[str, Any] = field(default_factory=dict)
    body: None = None


class FrameLimits(Closed):
    """What the service accepts."""

    frame_bytes: Count
    frame_width: Count
    frame_height: Count
    frame_pixels: Count
    frames_per_second: float
    unanswered_frames: Count
    session_seconds: float


class FaceGeometry(Closed):
    """Required sizes in pixels of a frame, from which a client draws its outline for the face."""

    frame_width: Annotated[Count, Meta(description="minimum width of a frame")]
    frame_height: Annotated[Count, Meta(description="minimum height of a frame")]
    face_width: Annotated[Count, Meta(description="minimum width of the face box")]
    face_height: Annotated[Count, Meta(description="minimum height of the face box")]
    frame_margin: Annotated[Count, Meta(description="minimum distance from each border")]
    face_share: Annotated[
        Score, Meta(description="maximum width of the face box over the frame's shorter side")
    ]


class ConnectedHeaders(Closed, rename="kebab", omit_defaults=True):
    """The session, and what the service accepts."""

    session_id: Identity
    resume_token: str
    heartbeat_interval: Seconds
    seq: Annotated[int, Meta(ge=0, description="frames received so far")]
    limits: FrameLimits
    geometry: FaceGeometry | None = None
    result_bytes: Annotated[int, Meta(ge=0, description="bytes of the RESULT that follows")] = 0


class ConnectedMessage(TextMessage[ConnectedHeaders, None], tag="CONNECTED"):
    """The session was started or resumed."""


class FrameHeaders(Closed):
    """The frame that is answered."""

    seq: Annotated[int, Meta(ge=1, description="number of the frame, from 1")]


class StatusBody(Closed):
    """The frame status of LUNA PASS."""

    is_ok: bool
    errors: Codes
    details: StatusDetails


class StatusMessage(TextMessage[FrameHeaders, StatusBody], tag="STATUS"):
    """The answer to a frame."""


class DroppedHeaders(FrameHeaders):
    """Which frame was not judged, and why."""

    reason: Drop


class DroppedMessage(TextMessage[DroppedHeaders, None], tag="DROPPED"):
    """The answer to a frame that was not judged."""


class ResultHeaders(Closed, rename="kebab"):
    """The session that was decided."""

    session_id: Identity


class ResultBody(Closed):
    """The verdict; ``jwt`` is null unless ``isOk``."""

    is_ok: bool
    jwt: str | None
    errors: Codes


class ResultMessage(TextMessage[ResultHeaders, ResultBody], tag="RESULT"):
    """The verdict on the session."""


class ErrorHeaders(Closed, rename="kebab", omit_defaults=True):
    """Seconds until a retry makes sense, if known."""

    retry_after: Annotated[float, Meta(ge=0)] = 0


class ErrorBody(Closed):
    """Why the connection ends."""

    code: Annotated[str, Meta(examples=["session.full", "session.unknown"])]
    message: str


class ErrorMessage(TextMessage[ErrorHeaders, ErrorBody], tag="ERROR"):
    """The last message of a connection that the service ends."""


class HeartbeatHeaders(Closed, rename="kebab", omit_defaults=True):
    """Size in bytes of a large RESULT that follows."""

    result_bytes: Count = 0


class HeartbeatMessage(TextMessage[HeartbeatHeaders, None], tag="HEARTBEAT"):
    """The answer to HEARTBEAT, or the announcement of a large RESULT."""


ClientMessage = ConnectMessage | ClientHeartbeatMessage | DisconnectMessage
ServerMessage = (
    ConnectedMessage
    | StatusMessage
    | DroppedMessage
    | ResultMessage
    | ErrorMessage
    | HeartbeatMessage
)
