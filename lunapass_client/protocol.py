"""The words of ``lpproto.v1`` that both ends use: commands, close codes and reasons."""

from enum import IntEnum, StrEnum

SUBPROTOCOL = "lpproto.v1"


class Command(StrEnum):
    """Commands of both directions."""

    CONNECT = "CONNECT"
    HEARTBEAT = "HEARTBEAT"
    DISCONNECT = "DISCONNECT"
    CONNECTED = "CONNECTED"
    STATUS = "STATUS"
    RESULT = "RESULT"
    ERROR = "ERROR"
    DROPPED = "DROPPED"


class CloseCode(IntEnum):
    """Why the gateway ends a connection."""

    VERDICT = 1000
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    OVERLOADED = 1013
    BAD_MESSAGE = 4000
    CONNECT_TIMEOUT = 4001
    IDLE = 4002
    SESSION_UNKNOWN = 4003
    REPLACED = 4004
    SLOW_CLIENT = 4005


class Drop(StrEnum):
    """Why an accepted frame is answered with DROPPED."""

    REPLACED = "replaced"
    RATE = "rate"
    DEADLINE = "deadline"
    ENDED = "ended"
