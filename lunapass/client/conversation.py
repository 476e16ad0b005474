"""What a client says and understands, without I/O: shared by both clients."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.protocol import CloseCode, Codec, Command

RESUMABLE = frozenset({1001, 1006, 1011, int(CloseCode.RESTART), int(CloseCode.IDLE)})
"""Close codes after which the same session may go on over a new connection; 1006 is a cut."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Refused(Exception):
    """The service does not grant the session, or ends it for a fault of the client.

    Attributes:
        code: the ERROR's code, such as ``session.full``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Unavailable(Refused):
    """The service cannot judge at the moment; the same request may be made again."""


class NoVerdict(Exception):
    """The frames or the tries to resume came to an end before the verdict."""


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
    def answers_frame(self) -> bool:
        """Whether a frame has its one answer with this."""
        return self.command in (Command.STATUS, Command.DROPPED)


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


def pauses(tries: int) -> Iterator[float]:
    """Seconds to wait before each try to resume: doubled each time, with full jitter."""
    for number in range(tries):
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)
        yield random.uniform(0, longest)  # noqa: S311  # spreads clients, no secret
