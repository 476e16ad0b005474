"""The link to the aggregator: asks for verdicts, feeds a restarted one with the session logs."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable

import zmq
from msgspec.structs import replace

from gateway.death_watch import DeathWatch
from gateway.ledger import Ledger
from gateway.sessions.session import FramePictures, PendingFrame, Session
from shared.config.service import Config
from shared.errors import MessageError
from shared.process.clock import SYSTEM, Clock
from shared.wire.lines import AGGREGATOR
from shared.wire.messages import (
    Account,
    Close,
    Commit,
    Forget,
    GatewayHello,
    Judge,
    Judgement,
    Opened,
    Resume,
    Resumed,
    Settled,
    Welcome,
    decode,
    encode,
)
from shared.wire.records import END, Judged
from shared.wire.transport import Channel, connect

log = logging.getLogger(__name__)

SILENCE_SECONDS = 3.0
ASK_AGAIN_SECONDS = 3.0
"""More than any answer of the aggregator takes, but for questions that it asks others."""

Answers = Opened | Judgement | Resumed | Settled | Welcome
"""What the receiver gets; ``Welcome`` only of an aggregator that has just begun."""
Receiver = Callable[[Answers], None]


class JudgementLink:
    """Speaks with the aggregator.

    Args:
        config: the configuration.
        sessions: gives the open sessions, to ask again and to replay.
        receiver: called with each answer.
        ledger: takes the aggregator's account.
        clock: measures the aggregator's silence.
    """

    def __init__(
        self,
        config: Config,
        sessions: Callable[[], Iterable[Session]],
        receiver: Receiver,
        ledger: Ledger,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._receiver = receiver
        self._ledger = ledger
        self.renew(config)
        self._incarnation = ""
        self._last_seen = 0.0
        self._watch: DeathWatch | None = None
        self._hello = encode(GatewayHello(uuid.uuid4().hex))
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        connect(socket, config, AGGREGATOR)
        self._channel = Channel(socket, self._receive)

    @property
    def up(self) -> bool:
        """Whether the aggregator has answered lately, and has not died since."""
        return self._clock.monotonic() - self._last_seen < SILENCE_SECONDS

    def renew(self, config: Config) -> None:
        """Take over which plugins are on, from a configuration that was read again."""
        plugins = config.MIDDLEWARES.WS
        self._look_at_received = {
            passed: plugins.look_at_received(passed=passed) for passed in (False, True)
        }
        self._has_effects = plugins.has_effects

    def beat(self) -> None:
        """Ask for a sign of life and for answers overdue; to be called a few times a second."""
        self._channel.send(self._hello)
        now = self._clock.monotonic()
        for session in self._sessions():
            open_question = session.result is None or self._unannounced(session)
            if open_question and now - session.asked > ASK_AGAIN_SECONDS:
                session.asked = now
                self._ask_again(session)

    def _unannounced(self, session: Session) -> bool:
        """Whether side effects of a session's end wait for ``Commit``, which may have been lost."""
        waits = session.released and session.opened.commits and session.settled != END
        return waits and self._has_effects

    def _ask_again(self, session: Session) -> None:
        """Repeat a question that has no answer yet; the aggregator answers each as often as asked.

        Over ``ipc://`` none is ever lost; over ``tcp://`` a connection may break with one in it.
        """
        if session.released:
            self.commit(session)
        elif session.closing:
            self.close_session(session, session.closing)
        elif not session.known.is_set():
            self.open(session)
        elif session.active is not None and session.active.estimate is not None:
            self.judge(session, session.active)

    def open(self, session: Session, *, replay: bool = False) -> None:
        """Tell of a new session."""
        message = replace(
            session.opened,
            incarnation=self._incarnation,
            replay=replay,
            settled=session.settled,
            elapsed=session.elapsed,
        )
        self._channel.send(encode(message))

    def judge(self, session: Session, frame: PendingFrame) -> None:
        """Ask for the verdict on a frame that has its estimate.

        Most frames fail a check; their pictures stay here unless a plugin looks at them.
        """
        assert frame.estimate is not None
        looked_at = self._look_at_received[frame.shot is not None]
        judge = Judge(
            self._incarnation,
            session.id,
            frame.seq,
            frame.at,
            frame.estimate,
            frame.data if looked_at else None,
            frame.shot,
            wall=frame.wall,
        )
        self._channel.send(encode(judge))

    def resume(self, session: str, token_digest: bytes) -> None:
        """Ask for the log of a session that this gateway does not know."""
        self._channel.send(encode(Resume(self._incarnation, session, token_digest)))

    def close_session(self, session: Session, reason: str) -> None:
        """Ask for the final verdict of a session that ends from outside."""
        self._channel.send(encode(Close(self._incarnation, session.id, session.now, reason)))

    def commit(self, session: Session) -> None:
        """Say that the verdict is released, so that the session's end may be announced."""
        self._channel.send(encode(Commit(self._incarnation, session.id)))

    def forget(self, session: Session) -> None:
        """Let the aggregator forget a session without a verdict."""
        self._channel.send(encode(Forget(self._incarnation, session.id)))

    def close(self) -> None:
        """Stop speaking with the aggregator."""
        if self._watch is not None:
            self._watch.close()
        self._channel.close()

    def _receive(self, _peer: bytes, data: bytes) -> None:
        try:
            message = decode(data)
        except MessageError as error:
            log.error("unreadable message of the aggregator: %s", error)
            return
        self._last_seen = self._clock.monotonic()
        if isinstance(message, (Judgement, Opened, Resumed, Settled)):
            self._receiver(message)
        elif isinstance(message, Welcome):
            self._welcome(message)
        elif isinstance(message, Account):
            self._ledger.take(message)

    def _welcome(self, welcome: Welcome) -> None:
        if welcome.incarnation == self._incarnation:
            return
        self._incarnation = welcome.incarnation
        if self._watch is not None:
            self._watch.close()
        self._watch = DeathWatch(welcome.pid, self._died)
        for session in self._sessions():
            self.replay(session)
        self._receiver(welcome)

    def _died(self) -> None:
        self._last_seen = 0.0

    def replay(self, session: Session) -> None:
        """Bring a new aggregator to where the one before was: open, log, the open question."""
        self.open(session, replay=bool(session.log))
        for judged in session.log:
            self._channel.send(encode(self._again(session, judged)))
        if session.active is not None and session.active.estimate is not None:
            self.judge(session, session.active)
        if session.closing or session.result is not None:
            # A verdict may come from such an end rather than from the log; it is asked for again.
            self.close_session(session, session.closing or "decided before")
        if session.released and session.opened.commits:
            self.commit(session)

    def _again(self, session: Session, judged: Judged) -> Judge:
        """Repeat the question about a judged frame, with the pictures that are still here.

        The best shot is the very JPEG of the first time, so that the token is the same.
        """
        received, shot = session.unsettled.get(judged.seq, FramePictures())
        if session.kept is not None and session.kept.seq == judged.seq:
            shot = session.kept
        return Judge(
            self._incarnation,
            session.id,
            judged.seq,
            judged.at,
            judged.estimate,
            received,
            shot,
            replay=True,
            answers=judged.answers,
            wall=judged.wall,
        )
