"""Start tokens that were used: in this process, or in the session store for all gateways."""

from typing import Protocol

from gateway.state.identity import digest
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock

MAX_TOKENS = 100_000
"""Tokens remembered by one process (some 20 MB); beyond, no session begins until one expires."""


class UsedTokens(Protocol):
    """Remembers tokens until they expire.

    Attributes:
        since: wall time since which every use is known.
    """

    since: float

    async def use(self, name: str, seconds: float) -> bool:
        """Use up a token, by its issuer and id, for the seconds until it is refused for its age.

        Returns:
            Whether this is its first use.

        Raises:
            ConnectionError: that cannot be determined.
        """

    async def close(self) -> None:
        """Close the connection to the store."""


class OwnUsedTokens:
    """Remembers used tokens in this process; it knows nothing from before its start, ``since``."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.since = clock.wall()
        self._until: dict[bytes, float] = {}
        self._full_until = 0.0

    async def use(self, name: str, seconds: float) -> bool:
        """Use a token up; raise ConnectionError if no more can be remembered."""
        now = self._clock.monotonic()
        key = digest(name)
        if self._until.get(key, 0.0) > now:
            return False
        if len(self._until) >= MAX_TOKENS:
            self._drop_expired(now)
        self._until[key] = now + seconds
        return True

    def _drop_expired(self, now: float) -> None:
        """Make room, with one scan for each expiry: a full memory must not cost each CONNECT."""
        if now >= self._full_until:
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._full_until = min(self._until.values(), default=now)
        if len(self._until) >= MAX_TOKENS:
            raise ConnectionError("too many start tokens at once")

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def used_tokens(config: Config, *, clock: Clock) -> UsedTokens:
    """Choose the memory that the configuration asks for."""
    if config.SESSION_STORE.connectionString:
        # A late import, as in gateway/sessions/handover.py.
        from gateway.web.stored_used_tokens import StoredUsedTokens

        return StoredUsedTokens(config)
    return OwnUsedTokens(clock=clock)
