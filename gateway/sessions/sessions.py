"""The life cycle of sessions, from CONNECT to the verdict."""

import asyncio
import logging
import secrets
from collections.abc import Mapping

from msgspec.structs import replace

from gateway import metrics
from gateway.limits.addresses import limit_key
from gateway.limits.inflow import HeldBytes
from gateway.pool.dispatch import Dispatcher
from gateway.sessions.decision_report import DecisionReport
from gateway.sessions.frames import Frames, Trace
from gateway.sessions.handover import Handover, Recall, StoreHandover
from gateway.sessions.judgement import Answers, JudgementLink
from gateway.sessions.recent_sessions import RecentSessions, codes_of
from gateway.sessions.refused_sessions import RefusedSessions, SharedRefusals
from gateway.sessions.registry import SessionRegistry
from gateway.sessions.replay import Replay
from gateway.sessions.results import Results
from gateway.sessions.unsettled import Unsettled
from gateway.state.identity import digest, new_identity
from gateway.state.session import Session
from shared.config.cells import prefix
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import (
    Judgement,
    Missing,
    Open,
    Opened,
    Resumed,
    Settled,
    SinkHealth,
    decode,
)
from shared.wire.protocol import Drop, ProtocolError
from shared.wire.records import History

log = logging.getLogger(__name__)


class Sessions:
    """Opens, resumes, decides and ends sessions; see ``Frames`` for ``held`` and ``trace``.

    ``shared_refusals`` are the refused sessions that all gateways count; None without a session
    store.
    """

    def __init__(
        self,
        config: Config,
        pool: Dispatcher,
        link: JudgementLink,
        shared_refusals: SharedRefusals | None = None,
        *,
        sealing_key: bytes = b"",
        held: HeldBytes | None = None,
        trace: Trace | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._config = config
        self._limits = config.LIMITS
        audit = config.MIDDLEWARES.WS.Audit
        self._audit_required = audit.isEnabled and audit.args.required
        self._link = link
        self._unsettled = Unsettled(config.MIDDLEWARES.WS, self._limits.unsettledBytes)
        self._registry = SessionRegistry(config, self._unsettled, clock=clock)
        self.frames = Frames(config, pool, link, self._unsettled, held, trace, clock=clock)
        self.replay = Replay(config, self._registry, link, clock=clock)
        self.recall = Recall(link)
        self.handover = (
            StoreHandover(config, self._registry, link, self.replay, sealing_key, clock=clock)
            if config.SESSION_STORE.connectionString
            else Handover()
        )
        self.results = Results(config, self._registry.get, sealing_key, clock=clock)
        self.recent = RecentSessions()
        is_development = config.LUNA_PASS.env == "development"
        self._report = DecisionReport(self.recent, reveal=is_development)
        self._opening: dict[str, asyncio.Event] = {}
        self.sinks: tuple[SinkHealth, ...] = ()
        self.refused = RefusedSessions(
            self._limits.refusedSessionsPerAddress,
            self._end_over_refusal_limit,
            shared_refusals,
            key=sealing_key,
            per_person=self._limits.refusedSessionsPerPerson,
            per_kiosk=self._limits.refusedSessionsPerKiosk,
            clock=clock,
        )
        link.report_to(self.receive)

    def all(self) -> list[Session]:
        """Sessions of this gateway now."""
        return self._registry.all()

    def get(self, identity: str) -> Session | None:
        """Session of this gateway by its id."""
        return self._registry.get(identity)

    @property
    def undecided(self) -> int:
        """Number of sessions whose client may not have a verdict yet."""
        return self._registry.undecided

    def renew(self, config: Config) -> None:
        """Apply a reloaded configuration to what may change."""
        self.frames.renew(config)
        self.replay.renew(config)
        self.results.renew(config)

    # Opening

    def begin(
        self,
        address: str,
        *,
        mirrored: bool,
        client: str,
        refused_before: Mapping[str, int] | None = None,
        start: str = "{}",
        start_id: str = "",
    ) -> tuple[Session, str]:
        """Open a session.

        ``client`` is the client's description of itself, and ``start`` the claims of its start
        token for the verdict, both as JSON. ``refused_before`` is what ``refused`` has counted so
        far.

        Returns:
            The session and its resume token, which only the client stores.

        Raises:
            ProtocolError: there are too many sessions, in total or of this address.
        """
        self.require_room_for(address)
        key = limit_key(address)
        identity, token = new_identity(prefix(self._config))
        opened = Open(
            incarnation="",
            session=identity,
            at=self._clock.wall(),
            seed=secrets.randbits(63),
            token_digest=digest(token),
            mirrored=mirrored,
            client=client,
            commits=self.handover.commits,
            opener=self.refused.client_of(key),
            start=start,
            start_id=start_id,
        )
        session = self._registry.add(opened, key, refused_before=refused_before)
        self._link.open(session)
        self.handover.mark_changed(session)
        return session, token

    def require_room_for(self, address: str) -> None:
        """Check that a client at an address may start one more session.

        Raises:
            ProtocolError: there are too many sessions, in total or of this address; or required
                audit records cannot be written.
        """
        self._registry.require_room_for(limit_key(address))
        audit_writes = any(sink.name == "Audit" and not sink.disabled for sink in self.sinks)
        if self._audit_required and not audit_writes:  # not before the aggregator has reported it
            message = "sessions cannot be recorded at the moment"
            raise ProtocolError(message, code="service.unavailable")

    async def until_known(self, session: Session) -> None:
        """Wait until the aggregator knows a session, which then outlives this gateway."""
        if session.known:
            return
        self._opening[session.id] = acknowledged = asyncio.Event()
        try:
            await acknowledged.wait()
        finally:
            del self._opening[session.id]

    async def resume(self, identity: str, token: str) -> Session | None:
        """Find a session by id and resume token; return None if no session has both.

        A gateway that has just started does not have the sessions of the previous gateway. It asks
        its aggregator for them first, and then the session store.

        Raises:
            ProtocolError: another gateway has the session, and it was resumed too often; or there
                are too many sessions already.
        """
        session = (
            self._registry.get(identity)
            or await self.recall.fetch(identity, digest(token))
            or await self.handover.take(identity, token)
        )
        if session is None or not session.owns(token):
            return None
        self.handover.mark_changed(session)
        return session

    # Answers of the aggregator

    def receive(self, message: Answers) -> None:
        """Take an answer of the aggregator."""
        if isinstance(message, Judgement):
            self._judged(message)
        elif isinstance(message, Opened):
            self._opened(message)
        elif isinstance(message, Missing):
            self.replay.mark_missing(message.session)
        elif isinstance(message, Resumed):
            self._resumed(message)
        elif isinstance(message, Settled):
            self._settle(message)
        else:  # the aggregator is a new one
            self.replay.replay_all()
            self.recall.ask_again()

    def _opened(self, opened: Opened) -> None:
        session = self._registry.get(opened.session)
        if session is None:
            return
        session.acknowledge(opened)
        if (acknowledged := self._opening.get(session.id)) is not None:
            acknowledged.set()
        self.frames.advance(session)

    def _judged(self, judgement: Judgement) -> None:
        session = self._registry.get(judgement.session)
        if session is None:
            return
        began = self._clock.monotonic()
        changed = self.frames.judged(session, judgement)
        if changed:
            session.count_codes(codes_of(judgement.status))
            self.refused.judged(session, judgement)
        if judgement.final and judgement.result is not None:
            changed |= session.decide(judgement.result, session.outcome_of(judgement))
        elif len(session.log) >= self._limits.logFrames:
            self.end(session, "log full")
        if changed:  # a repetition must not hold answers that were released
            self.handover.commit(session, self._release)
        metrics.REPLY.observe(self._clock.monotonic() - began)

    def _release(self, session: Session) -> None:
        """Send what the client may know now: the answer to its last frame, then the verdict.

        Until then nothing shows that there is a verdict: further frames are taken as before.
        """
        self.frames.answer(session)
        self.frames.advance(session)
        if session.may("release"):
            self._give(session)

    def _give(self, session: Session) -> None:
        """Give the verdict; a client that is away gets it when it resumes."""
        unanswered = session.release()
        if session.outcome:
            self._report.add(session)
            self.refused.ended(session)
        self.frames.drop(session, unanswered, Drop.ENDED)
        if session.opened.commits:
            self._link.commit(session)
        self.results.record(session)
        session.deliver()

    def _resumed(self, message: Resumed) -> None:
        session = self._registry.get(message.session)
        if session is None and message.history is not None:
            session = self._restore(message, message.history)
        self.recall.answer(message.session, message.token_digest, session)

    def _restore(self, message: Resumed, history: History) -> Session:
        """Make a session from what the aggregator remembers of it."""
        opened = decode(history.opened)
        assert isinstance(opened, Open)
        # Writes of the previous gateway may still be on their way to the store, and must fail from
        # now on: so this one claims the next term, without asking the store. If another gateway
        # took the session over meanwhile, it has that term already, and wins.
        opened = replace(opened, term=opened.term + 1)
        session = self._registry.revive(
            opened, history.judged, history.kept, message.profile, message.elapsed
        )
        session.settle(message.settled)
        if message.result is not None:
            session.decide(message.result)
        self.handover.commit(session, self._release)
        return session

    def _settle(self, settled: Settled) -> None:
        self.sinks = settled.health
        for identity, mark in settled.marks:
            if (session := self._registry.get(identity)) is not None:
                self._unsettled.settle(session, mark)

    # Ending

    def end(self, session: Session, reason: str) -> None:
        """Close a session from outside: the aggregator gives its final verdict."""
        if session.close(reason):
            self._link.close_session(session, reason)

    def _end_over_refusal_limit(self, session: Session) -> None:
        self.end(session, "too many refused sessions")

    def sweep(self) -> None:
        """Answer overdue frames and end old sessions; called a few times a second."""
        now = self._clock.monotonic()
        sessions = self.all()
        self.frames.sweep(sessions, now)
        for session in sessions:
            if now - session.started > self._limits.sessionSeconds:
                self.end(session, "session too long")
            if session.left and now - session.left > self._limits.resumeSeconds:
                if session.result is None:
                    self.end(session, "client gone")
                elif session.released:
                    self.remove(session)
        self.handover.sweep(now)
        self.results.sweep()

    def abandon(self, session: Session) -> None:
        """Drop a session whose client does not know it."""
        self._link.close_session(session, "never known")
        self.remove(session)

    def remove(self, session: Session) -> None:
        """Drop a session here."""
        self.handover.forget(session)
        self._registry.remove(session)

    async def close(self) -> None:
        """Store what has changed, and wait for open requests."""
        await self.handover.close()
        await self.refused.close()
        await self.results.close()
