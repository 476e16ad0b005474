"""The public names, which programs import from ``lunapass_client``."""

from lunapass_client.answers import Answer, FrameStatus, RefusalReason, SessionGrant, Verdict
from lunapass_client.asynchronous import Client
from lunapass_client.codes import PROMPTS, Code, hint
from lunapass_client.conversation import Consent
from lunapass_client.errors import (
    BadAnswer,
    ClientError,
    Disconnected,
    NotAdmitted,
    NoVerdict,
    Refused,
    Silent,
    Unavailable,
    Unreachable,
)
from lunapass_client.protocol import CloseCode, Command, Drop
from lunapass_client.session import SessionClient
from lunapass_client.synchronous import SyncClient

__all__ = [
    "PROMPTS",
    "Answer",
    "BadAnswer",
    "Client",
    "ClientError",
    "CloseCode",
    "Code",
    "Command",
    "Consent",
    "Disconnected",
    "Drop",
    "FrameStatus",
    "NoVerdict",
    "NotAdmitted",
    "RefusalReason",
    "Refused",
    "SessionClient",
    "SessionGrant",
    "Silent",
    "SyncClient",
    "Unavailable",
    "Unreachable",
    "Verdict",
    "hint",
]
