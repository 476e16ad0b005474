"""What the service answers, as types."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lunapass_client.codes import hint
from lunapass_client.errors import BadAnswer, Refused
from lunapass_client.protocol import Command, Drop

Kind = TypeVar("Kind")


class FrameStatus(msgspec.Struct, frozen=True, rename={"is_ok": "isOk"}):
    """The judgement of one frame.

    Attributes:
        is_ok: the frame was accepted; RESULT follows.
        errors: codes of failed checks and prompts; those that the person can act on come first.
        details: measurements, as in docs/protocol.md; in production only the face's position.
    """

    is_ok: bool
    errors: tuple[int, ...]
    details: dict[str, Any]

    @property
    def hint(self) -> str | None:
        """What to show the person, in English; None if there is nothing to change."""
        return hint(self.errors[0]) if self.errors else None


class SessionGrant(msgspec.Struct, frozen=True, rename="kebab"):
    """The session of CONNECTED. The resume token must be kept secret."""

    session_id: str
    resume_token: str


class RefusalReason(msgspec.Struct, frozen=True):
    """The body of ERROR."""

    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """A message from the server, with headers and body as sent."""

    command: Command
    headers: dict[str, Any]
    body: Any

    @classmethod
    def parse(cls, raw: str | bytes) -> Answer:
        """Parse a message from the server.

        Raises:
            BadAnswer: it violates the protocol.
        """
        try:
            return _DECODER.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswer(f"the service's message cannot be read: {error}") from error

    @property
    def seq(self) -> int | None:
        """Number of the frame that it answers, if any; of CONNECTED, frames received so far."""
        number = self.headers.get("seq")
        return None if number is None else _typed(number, int)

    @property
    def grant(self) -> SessionGrant | None:
        """The session; None if the message is not a CONNECTED."""
        if self.command is not Command.CONNECTED:
            return None
        return _typed(self.headers, SessionGrant)

    @property
    def status(self) -> FrameStatus | None:
        """The judgement of the frame; None if the message is not a STATUS."""
        return _typed(self.body, FrameStatus) if self.command is Command.STATUS else None

    @property
    def dropped(self) -> Drop | None:
        """Why the frame was not judged; None if the message is not a DROPPED."""
        if self.command is not Command.DROPPED:
            return None
        return _typed(self.headers.get("reason"), Drop)

    @property
    def refusal(self) -> RefusalReason | None:
        """Why the service ends the connection; None if the message is not an ERROR."""
        return _typed(self.body, RefusalReason) if self.command is Command.ERROR else None

    @property
    def retry_after(self) -> float | None:
        """Seconds after which another session may be accepted; None if the service does not say."""
        seconds = self.headers.get("retry-after")
        return _typed(seconds, float) if seconds is not None else None

    @property
    def announces_result(self) -> bool:
        """Whether RESULT is on its way."""
        return "result-bytes" in self.headers

    @property
    def only_announces(self) -> bool:
        """Whether it does nothing but announce RESULT."""
        return self.command is Command.HEARTBEAT and self.announces_result

    @property
    def answers_frame(self) -> bool:
        """Whether it is the one answer to a frame."""
        return self.command in (Command.STATUS, Command.DROPPED)

    @property
    def asks_for_more(self) -> bool:
        """Whether the next frame is due; an accepted frame is followed by RESULT at once."""
        return self.answers_frame and not (self.status is not None and self.status.is_ok)


_DECODER = msgspec.json.Decoder(Answer)


class Verdict(msgspec.Struct, frozen=True, rename={"accepted": "isOk", "token": "jwt"}):
    """The final answer.

    Attributes:
        accepted: the service saw a live person.
        token: the signed token; None unless accepted. Verify its signature before you trust it.
        errors: codes of a refusal.
    """

    accepted: bool
    token: str | None
    errors: tuple[int, ...]

    @classmethod
    def of(cls, answer: Answer) -> Verdict:
        """Read RESULT.

        Raises:
            BadAnswer: its body is not that of RESULT.
        """
        return _typed(answer.body, cls)

    @classmethod
    def within(cls, answer: Answer) -> Verdict | None:
        """Return the verdict in an answer; None if the session continues.

        Raises:
            Refused: the service ends the session.
        """
        refusal = answer.refusal
        if refusal is not None:
            raise Refused(refusal.code, refusal.message, answer.retry_after)
        return cls.of(answer) if answer.command is Command.RESULT else None


def _typed(value: Any, kind: type[Kind]) -> Kind:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"the service's message is no {kind.__name__}: {error}") from error
