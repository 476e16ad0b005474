"""The link to the aggregator: asks it about sessions and receives its answers."""

import logging
import uuid
from collections.abc import Callable

import zmq
from msgspec.structs import replace

from gateway.death_watch import DeathWatch
from gateway.ledger import Ledger
from gateway.state.pending_frame import FramePictures, PendingFrame
from gateway.state.session import Session
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
    Missing,
    Opened,
    Resume,
    Resumed,
    Settled,
    Welcome,
    decode,
    encode,
)
from shared.wire.records import Judged
from shared.wire.transport import Channel, connect

log = logging.getLogger(__name__)

SILENCE_SECONDS = 3.0

Answers = Opened | Judgement | Missing | Resumed | Settled | Welcome
"""What is reported; ``Welcome`` only from an aggregator that has just started."""


class JudgementLink:
    """Sends questions to the aggregator and passes its answers on."""

    def __init__(self, config: Config, ledger: Ledger, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._ledger = ledger
        self._report: Callable[[Answers], None] | None = None
        self._look_at_received = {False: False, True: False}  # by whether the frame passed
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

    def report_to(self, receive: Callable[[Answers], None]) -> None:
        """Register the receiver of answers. Called once, from the receiver's constructor."""
        self._report = receive

    @property
    def up(self) -> bool:
        """Whether the aggregator has answered lately, and has not died since."""
        return self._clock.monotonic() - self._last_seen < SILENCE_SECONDS

    def renew(self, config: Config) -> None:
        """Apply a reloaded configuration: which plugins are on.

        Running sessions keep their plugins, so once a plugin has looked at images, they are sent
        until the gateway restarts.
        """
        plugins = config.MIDDLEWARES.WS
        for passed in (False, True):
            self._look_at_received[passed] |= plugins.look_at_received(passed=passed)

    def beat(self) -> None:
        """Send a heartbeat; to be called a few times a second."""
        self._channel.send(self._hello)

    def open(self, session: Session, *, replay: bool = False) -> None:
        """Announce a session; with ``replay``, its log follows."""
        message = replace(
            session.opened,
            incarnation=self._incarnation,
            replay=replay,
            settled=session.settled,
            elapsed=session.elapsed,
        )
        self._channel.send(encode(message))

    def judge(self, session: Session, frame: PendingFrame) -> None:
        """Ask for the judgement of a frame that has its estimate.

        Most frames fail a check; their images are not sent unless a plugin looks at them.
        """
        assert frame.estimate is not None
        looked_at = self._look_at_received[frame.passed]
        judge = Judge(
            self._incarnation,
            session.id,
            frame.seq,
            frame.at,
            frame.estimate,
            frame.data if looked_at else None,
            frame.shot,
            wall=frame.wall,
            prompted=session.prompted,
            after=session.last_judged,
        )
        self._channel.send(encode(judge))

    def judge_again(
        self, session: Session, judged: Judged, pictures: FramePictures, *, after: int
    ) -> None:
        """Repeat the question about a judged frame, which came after the one with a number."""
        judge = Judge(
            self._incarnation,
            session.id,
            judged.seq,
            judged.at,
            judged.estimate,
            pictures.received,
            pictures.shot,
            replay=True,
            answers=judged.answers,
            wall=judged.wall,
            prompted=judged.prompted,
            after=after,
        )
        self._channel.send(encode(judge))

    def resume(self, session: str, token_digest: bytes) -> None:
        """Ask for the log of a session that this gateway does not know."""
        self._channel.send(encode(Resume(self._incarnation, session, token_digest)))

    def close_session(self, session: Session, reason: str) -> None:
        """Ask for the final verdict of a session that ends from outside."""
        close = Close(self._incarnation, session.id, session.now, reason, after=session.last_judged)
        self._channel.send(encode(close))

    def commit(self, session: Session) -> None:
        """Report that the verdict is released, so that the session's end may be announced."""
        self._channel.send(encode(Commit(self._incarnation, session.id)))

    def forget(self, session: Session) -> None:
        """Make the aggregator drop a session without a verdict."""
        self._channel.send(encode(Forget(self._incarnation, session.id)))

    def close(self) -> None:
        """Close the connection to the aggregator."""
        if self._watch is not None:
            self._watch.close()
        self._channel.close()

    def _receive(self, _peer: bytes, data: bytes) -> None:
        try:
            message = decode(data)
        except MessageError as error:
            log.error("invalid message from the aggregator: %s", error)
            return
        self._last_seen = self._clock.monotonic()
        if isinstance(message, (Judgement, Missing, Opened, Resumed, Settled)):
            assert self._report is not None  # it is set before the loop runs
            self._report(message)
        elif isinstance(message, Welcome):
            self._welcome(message)
        elif isinstance(message, Account):
            self._ledger.record(message)

    def _welcome(self, welcome: Welcome) -> None:
        if welcome.incarnation == self._incarnation:
            return
        # From now on every message names the new aggregator, also those that the receiver sends.
        self._incarnation = welcome.incarnation
        if self._watch is not None:
            self._watch.close()
        self._watch = DeathWatch(welcome.pid, self._died)
        assert self._report is not None
        self._report(welcome)

    def _died(self) -> None:
        self._last_seen = 0.0
