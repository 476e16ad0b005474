"""What a client says, understands and decides, without I/O: shared by both clients."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from shared.client.errors import NoVerdict, Refused, Silent, Unavailable
from shared.wire.protocol import CloseCode, Codec, Command

RESUMABLE = frozenset({1001, 1006, 1011, int(CloseCode.RESTART), int(CloseCode.IDLE)})
"""Close codes after which the same session may go on over a new connection; 1006 is a cut."""

ANSWER_SECONDS = 30.0
"""How long nothing may move on a connection; the service answers each frame within seconds."""
RESULT_SECONDS = 0.2
"""How long a resumed session is listened to for a verdict that CONNECTED does not announce."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
PASSING_STATUS = frozenset({408, 429, *range(500, 600)})
"""HTTP answers to the handshake that may be others a moment later."""


BROKEN = (ConnectionClosed, Silent)
"""What ends a connection, but perhaps not the session."""
TEMPORARY = (OSError, InvalidHandshake, ConnectionClosed, TimeoutError, Unavailable)
"""What a further try may mend; ``Resumption.failed`` looks closer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the server."""

    command: Command
    headers: dict[str, Any]
    body: Any

    @classmethod
    def parse(cls, raw: str | bytes) -> Answer:
        """Read a message of the server."""
        value = json.loads(raw)
        return cls(Command(value["command"]), value["headers"], value["body"])

    @property
    def seq(self) -> int | None:
        """Number of the frame it answers, if it answers one."""
        return self.headers.get("seq")

    @property
    def announces_result(self) -> bool:
        """Whether RESULT is on its way."""
        return "result-bytes" in self.headers

    @property
    def only_announces(self) -> bool:
        """Whether it says that RESULT is on its way, and nothing else."""
        return self.command is Command.HEARTBEAT and self.announces_result

    @property
    def answers_frame(self) -> bool:
        """Whether a frame has its one answer with this."""
        return self.command in (Command.STATUS, Command.DROPPED)

    @property
    def asks_for_more(self) -> bool:
        """Whether the next frame is due; after an accepted one RESULT follows at once."""
        accepted = self.command is Command.STATUS and self.body["isOk"]
        return self.answers_frame and not accepted


@dataclass(frozen=True, slots=True)
class Verdict:
    """The final answer.

    Attributes:
        accepted: a live person stood there.
        token: the signed token; None unless accepted. Verify it before you believe it.
        errors: codes of a refusal.
    """

    accepted: bool
    token: str | None
    errors: tuple[int, ...]

    @classmethod
    def of(cls, answer: Answer) -> Verdict:
        """Read RESULT."""
        body = answer.body
        return cls(bool(body["isOk"]), body["jwt"], tuple(body["errors"]))

    @classmethod
    def within(cls, answer: Answer) -> Verdict | None:
        """Find the verdict in an answer; None where the conversation goes on.

        Raises:
            Refused: the service ends the session.
        """
        if answer.command is Command.ERROR:
            raise Refused(answer.body["code"], answer.body["message"])
        return cls.of(answer) if answer.command is Command.RESULT else None


@dataclass
class Identity:
    """Which session a client speaks of, and how it shows that it may.

    Attributes:
        client: what to tell of the client, such as ``{"mirrored": True}``.
        session_id: id of the session, once known.
        resume_token: token with which it may be resumed.
    """

    client: dict[str, Any]
    session_id: str | None = None
    resume_token: str | None = None

    def address(self, url: str) -> str:
        """Address to connect to; a balancer finds the session's cell by the query."""
        if self.session_id is None:
            return url
        return f"{url}{'&' if '?' in url else '?'}session={quote(self.session_id)}"

    def connect(self) -> str:
        """Text of CONNECT."""
        headers: dict[str, Any] = {"client": self.client}
        if self.session_id is not None:
            headers |= {"session-id": self.session_id, "resume-token": self.resume_token}
        return Codec.encode(Command.CONNECT, headers)

    def granted(self, answer: Answer) -> None:
        """Take id and token out of CONNECTED; any other answer changes nothing."""
        if answer.command is Command.CONNECTED:
            self.session_id = answer.headers["session-id"]
            self.resume_token = answer.headers["resume-token"]


def require_granted(answer: Answer) -> None:
    """Raise ``Refused`` unless the answer is CONNECTED."""
    if answer.command is Command.ERROR:
        code, message = answer.body["code"], answer.body["message"]
        raise (Unavailable if code == "service.unavailable" else Refused)(code, message)


def authorization(username: str | None, password: str | None) -> dict[str, str]:
    """Header of HTTP Basic for the upgrade request; none without a user name."""
    if username is None:
        return {}
    credentials = base64.b64encode(f"{username}:{password or ''}".encode()).decode("ascii")
    return {"Authorization": f"Basic {credentials}"}


class Resumption:
    """The tries to have a session again after its connection broke.

    Args:
        broken: how the connection ended.
        tries: number of tries.
    """

    def __init__(self, broken: ConnectionClosed | Silent, tries: int) -> None:
        self._cause: BaseException = broken
        self._tries = tries
        received = broken.rcvd if isinstance(broken, ConnectionClosed) else None
        self._code = 1006 if received is None else received.code

    def pauses(self) -> Iterator[float]:
        """Yield the seconds to wait before each try.

        Raises:
            NoVerdict: a further try is of no use; its cause is the last fault.
        """
        if self._code not in RESUMABLE:
            raise NoVerdict(f"the service closed with {self._code}") from self._cause
        yield from pauses(self._tries)
        raise NoVerdict("the connection could not be had again") from self._cause

    def failed(self, error: BaseException) -> None:
        """Take the fault of a try.

        Raises:
            Exception: the fault itself, where it stays: a wrong password, an unknown address.
        """
        if isinstance(error, InvalidStatus) and error.response.status_code not in PASSING_STATUS:
            raise error
        self._cause = error


def pauses(tries: int) -> Iterator[float]:
    """Seconds to wait before each try to resume: doubled each time, with full jitter."""
    longest = FIRST_PAUSE
    for _ in range(tries):
        yield random.uniform(0, longest)  # noqa: S311  # spreads clients, no secret
        longest = min(LONGEST_PAUSE, 2 * longest)
