"""What the relying party may ask about a session, also after its client is gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sessions.session_report import SessionReport
from gateway.state.session import Session
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock

if TYPE_CHECKING:
    from gateway.sessions.stored_reports import StoredReports


class Results:
    """Finds the outcome of sessions: of this gateway now or lately, or in the session store.

    Results that were given are remembered for a time, in bounded memory; the oldest go first.
    """

    def __init__(
        self,
        config: Config,
        get: Callable[[str], Session | None],
        sealing_key: bytes = b"",
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._get = get
        self._clock = clock
        self._stored: StoredReports | None = None
        if config.SESSION_STORE.connectionString:
            # A late import, as in gateway/sessions/handover.py.
            from gateway.sessions.stored_reports import StoredReports

            self._stored = StoredReports(config, sealing_key)
        self._given: OrderedDict[str, tuple[float, SessionReport]] = OrderedDict()
        self._bytes = 0
        self.renew(config)

    def renew(self, config: Config) -> None:
        """Apply a new configuration; without the plugin, nothing is remembered."""
        plugin = config.MIDDLEWARES.REQUEST.ServerResult
        self._seconds = plugin.args.seconds if plugin.isEnabled else 0
        self._max_bytes = plugin.args.maxBytes if plugin.isEnabled else 0
        self.sweep()

    def record(self, session: Session) -> None:
        """Remember the result that a session's client may have now."""
        self._drop(session.id)
        report = _report_of(session)
        self._given[session.id] = self._clock.monotonic(), report
        self._bytes += report.size
        self.sweep()

    async def find(self, identity: str) -> SessionReport | None:
        """Report on a session; return None if it is unknown.

        Raises:
            ConnectionError: the session store does not answer.
        """
        session = self._get(identity)
        if session is not None:
            return _report_of(session)
        self.sweep()
        if identity in self._given:
            return self._given[identity][1]
        return None if self._stored is None else await self._stored.read(identity)

    def sweep(self) -> None:
        """Drop what is too old, then the oldest while all together need too much memory."""
        oldest = self._clock.monotonic() - self._seconds
        while self._given:
            identity, (since, _) = next(iter(self._given.items()))
            if since > oldest and self._bytes <= self._max_bytes:
                return
            self._drop(identity)

    def _drop(self, identity: str) -> None:
        if identity in self._given:
            self._bytes -= self._given.pop(identity)[1].size

    async def close(self) -> None:
        """Close the connection to the session store."""
        if self._stored is not None:
            await self._stored.close()


def _report_of(session: Session) -> SessionReport:
    return SessionReport(session.opened.start, session.result if session.released else None)
