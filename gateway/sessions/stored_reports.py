"""Reads the outcome of other gateways' sessions from the session store."""

import asyncio
import logging

from gateway.sessions.sealing import Sealer
from gateway.sessions.session_report import SessionReport
from gateway.sessions.store_scripts import keys
from shared.config.service import Config
from shared.errors import MessageError
from shared.redis_connection import UNREACHED, close_quietly, connect_async

log = logging.getLogger(__name__)


class StoredReports:
    """Reads sessions without taking them over, on its own connection: polling delays no write."""

    def __init__(self, config: Config, sealing_key: bytes) -> None:
        self._timeout = config.SESSION_STORE.timeout
        self._redis = connect_async(config.SESSION_STORE.connectionString, timeout=self._timeout)
        self._sealer = Sealer(sealing_key)

    async def read(self, session: str) -> SessionReport | None:
        """Return the outcome of a session, or None if it is unknown; a stored verdict is final.

        Raises:
            ConnectionError: Redis does not answer.
        """
        try:
            async with asyncio.timeout(self._timeout):
                state = await self._redis.hget(keys(session)[0], "state")
            return self._sealer.report(session, state) if isinstance(state, bytes) else None
        except UNREACHED as error:
            raise ConnectionError("the session store does not answer") from error
        except (MessageError, ValueError, TypeError) as error:
            log.error("stored session refused: %s", error, extra={"fields": {"session": session}})
            return None

    async def close(self) -> None:
        """Close the connection."""
        await close_quietly(self._redis)
