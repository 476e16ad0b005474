"""Messages and decisions of a client, without I/O: shared by both clients."""

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from lunapass_client.answers import Answer
from lunapass_client.errors import (
    Disconnected,
    NotAdmitted,
    NoVerdict,
    Refused,
    Silent,
    Unavailable,
    Unreachable,
)
from lunapass_client.protocol import CloseCode, Command

RESUMABLE = frozenset({1001, 1006, 1011, int(CloseCode.RESTART), int(CloseCode.IDLE)})
"""Close codes after which a session can be resumed; 1006 is a lost connection."""

ANSWER_SECONDS = 30.0
"""Longest time without a byte on a connection; the service answers each frame within seconds."""
RESULT_SECONDS = 0.2
"""Time to wait after resuming for a verdict that CONNECTED does not announce."""
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
TEMPORARY_STATUS = frozenset({408, 429, *range(500, 600)})
"""HTTP status codes of the handshake that are worth a retry."""


BROKEN = (Disconnected, Silent)
"""Errors that end the connection; the session may continue."""
TEMPORARY = (Unreachable, NotAdmitted, Disconnected, Silent, Unavailable)
"""Errors that may be worth a retry; ``Resumption.failed`` decides."""


class Consent(NamedTuple):
    """The acceptance of a text, for a service that requires it.

    Attributes:
        version: version of the text.
        at: time at which the person accepted it, in seconds since 1970.
    """

    version: str
    at: float


@dataclass
class Identity:
    """The session of a client once known, and its credentials.

    ``start_token`` may be a function that returns a new token for each attempt. ``consent`` is
    the text that the person has accepted.
    """

    client: dict[str, Any]
    session_id: str | None = None
    resume_token: str | None = None
    start_token: str | Callable[[], str] | None = None
    consent: Consent | None = None

    def address(self, url: str) -> str:
        """Return the address to connect to; its query lets a balancer find the session's cell."""
        if self.session_id is None:
            return url
        return f"{url}{'&' if '?' in url else '?'}session={quote(self.session_id)}"

    def connect(self) -> str:
        """Return the text of CONNECT."""
        headers: dict[str, Any] = {"client": self.client}
        if self.session_id is not None:
            headers |= {"session-id": self.session_id, "resume-token": self.resume_token}
            return encode(Command.CONNECT, headers)
        if self.start_token is not None:
            give = self.start_token
            headers["start-token"] = give() if callable(give) else give
        if self.consent is not None:
            headers["consent"] = self.consent._asdict()
        return encode(Command.CONNECT, headers)

    def granted(self, answer: Answer) -> None:
        """Store id and token of CONNECTED; any other answer changes nothing."""
        grant = answer.grant
        if grant is not None:
            self.session_id, self.resume_token = grant.session_id, grant.resume_token


class FrameNumbers:
    """Pairs answers with frames, which the service numbers from 1.

    After a resumption the answer to a frame of the old connection may arrive late.
    """

    def __init__(self) -> None:
        self._last = 0
        self._answered = 0

    @property
    def is_open(self) -> bool:
        """Whether the last frame that the service received has no answer yet."""
        return self._answered < self._last

    def connected(self, received: int | None) -> None:
        """Record how many frames the service has received, by the header ``seq`` of CONNECTED.

        A frame lost on the way has no number. None changes nothing: the service does not say.
        """
        if received is not None:
            self._last = received
            self._answered = min(self._answered, received)

    def sent(self) -> None:
        """Record that a frame was sent."""
        self._last += 1

    def answered(self, number: int | None) -> None:
        """Record the answer to a frame, by its header ``seq``; None stands for the last frame."""
        self._answered = max(self._answered, self._last if number is None else number)


def encode(command: Command, headers: dict[str, Any] | None = None) -> str:
    """Return the text of a message to the service."""
    message = {"command": command, "headers": headers or {}, "body": None}
    return msgspec.json.encode(message).decode()


def require_granted(answer: Answer) -> None:
    """Raise ``Refused`` unless the answer is CONNECTED."""
    refusal = answer.refusal
    if refusal is not None:
        kind = Unavailable if refusal.code == "service.unavailable" else Refused
        raise kind(refusal.code, refusal.message, answer.retry_after)


def authorization(username: str | None, password: str | None) -> dict[str, str]:
    """Return the header of HTTP Basic for the upgrade request; none without a user name."""
    if username is None:
        return {}
    credentials = base64.b64encode(f"{username}:{password or ''}".encode()).decode("ascii")
    return {"Authorization": f"Basic {credentials}"}


class Resumption:
    """The attempts to resume a session after its connection broke."""

    def __init__(self, broken: Disconnected | Silent, attempts: int) -> None:
        self._cause: BaseException = broken
        self._attempts = attempts
        self._code = broken.close_code if isinstance(broken, Disconnected) else 1006

    def pauses(self) -> Iterator[float]:
        """Yield the seconds to wait before each attempt.

        Raises:
            NoVerdict: the session cannot be resumed; its cause is the last error.
        """
        if self._code not in RESUMABLE:
            raise NoVerdict(f"the service closed with {self._code}") from self._cause
        yield from pauses(self._attempts)
        raise NoVerdict(f"not resumed in {self._attempts} attempts") from self._cause

    def failed(self, error: BaseException) -> None:
        """Record the error of an attempt.

        Raises:
            Exception: the error itself if it is permanent, such as a wrong password.
        """
        if isinstance(error, NotAdmitted) and error.status not in TEMPORARY_STATUS:
            raise error
        self._cause = error


def pauses(attempts: int) -> Iterator[float]:
    """Yield the seconds to wait before each attempt: exponential backoff with full jitter."""
    longest = FIRST_PAUSE_SECONDS
    for _ in range(attempts):
        yield random.uniform(0, longest)  # noqa: S311  # spreads clients, no secret
        longest = min(MAX_PAUSE_SECONDS, 2 * longest)
