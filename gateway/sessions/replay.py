"""What the aggregator is asked again: overdue questions, and whole sessions that it lacks."""

import logging

from gateway.sessions.judgement import JudgementLink
from gateway.sessions.registry import SessionRegistry
from gateway.state.pending_frame import FramePictures
from gateway.state.session import Session
from gateway.state.transitions import State
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.records import END, Judged

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 3.0
"""Longer than any answer of the aggregator takes, unless a plugin waits for an external answer."""


class Replay:
    """Repeats what was asked about the sessions."""

    def __init__(
        self,
        config: Config,
        registry: SessionRegistry,
        link: JudgementLink,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._registry = registry
        self._link = link
        self._clock = clock
        self._has_effects = config.MIDDLEWARES.WS.has_effects

    def renew(self, config: Config) -> None:
        """Apply a reloaded configuration: which side-effect plugins are on."""
        self._has_effects = config.MIDDLEWARES.WS.has_effects

    def repeat_overdue(self) -> None:
        """Repeat each question without an answer; to be called a few times a second.

        Not while the aggregator gives no sign of life: that would only lengthen the queue.
        """
        if not self._link.up:
            return
        now = self._clock.monotonic()
        for session in self._registry.all():
            open_question = session.result is None or self._is_unannounced(session)
            if open_question and now - session.asked > ASK_AGAIN_SECONDS:
                session.mark_asked(now)
                self._repeat(session)

    def _is_unannounced(self, session: Session) -> bool:
        """Whether side effects of a session's end wait for ``Commit``, which may have been lost."""
        waits = session.released and session.opened.commits and session.settled != END
        return waits and self._has_effects

    def _repeat(self, session: Session) -> None:
        """Repeat the open question of a session; the aggregator answers it as often as asked.

        A message is lost if a connection breaks, as over ``tcp://``, or if the queue is full. The
        log is repeated only when the aggregator says that it lacks frames: an aggregator that is
        still busy with many logs would otherwise get them all again.
        """
        if session.missing:
            self.replay(session)
        elif not session.known:
            self._link.open(session, replay=bool(session.log))
        elif session.released:
            self._link.commit(session)
        elif session.state is State.CLOSING:
            self._link.close_session(session, session.closing)
        elif session.judging is not None:
            self._link.judge(session, session.judging)

    def mark_missing(self, identity: str) -> None:
        """Replay a session that the aggregator lacks, once its question is overdue."""
        session = self._registry.get(identity)
        if session is not None and session.known:
            log.warning(
                "the aggregator lacks frames of a session; it is replayed", extra=session.fields()
            )
            session.mark_missing()

    def replay_all(self) -> None:
        """Replay every session to a new aggregator."""
        for session in self._registry.all():
            self.replay(session)

    def replay(self, session: Session) -> None:
        """Restore a session in an aggregator: its opening, its log, the open question."""
        session.mark_replayed()
        self._link.open(session, replay=bool(session.log))
        after = 0
        for judged in session.log:
            self._link.judge_again(session, judged, _pictures(session, judged), after=after)
            after = judged.seq
        if session.judging is not None:
            self._link.judge(session, session.judging)
        if session.closing or session.result is not None:
            # A verdict may come from such an end rather than from the log; it is asked for again.
            self._link.close_session(session, session.closing or "decided before")
        if session.released and session.opened.commits:
            self._link.commit(session)


def _pictures(session: Session, judged: Judged) -> FramePictures:
    """The images of a judged frame that are still here.

    The best shot is the same JPEG as the first time, so that the token is the same.
    """
    pictures = session.unsettled.get(judged.seq, FramePictures())
    if session.kept is not None and session.kept.seq == judged.seq:
        return pictures._replace(shot=session.kept)
    return pictures
