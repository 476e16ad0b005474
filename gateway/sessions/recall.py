"""Sessions that are not here, asked of the aggregator, which gives back what it remembers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from gateway.sessions.session import Session

Key = tuple[str, bytes]
"""Session and token digest: of several who ask for one session each gets its own answer."""


class Recall:
    """Questions for sessions, each asked once, however many wait for its answer.

    Attributes:
        ask: asks the aggregator for a session, by its id and token digest; set by the gateway.
    """

    def __init__(self) -> None:
        self._answers: dict[Key, asyncio.Future[Session | None]] = {}
        self._waiting: Counter[Key] = Counter()
        self.ask: Callable[[str, bytes], None]

    async def fetch(self, identity: str, token_digest: bytes) -> Session | None:
        """Ask for a session; None where there is none by that token."""
        key = (identity, token_digest)
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
            self.ask(*key)
        answer = self._answers[key]
        self._waiting[key] += 1
        try:
            return await asyncio.shield(answer)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:  # the last one gives up: nobody waits for the answer
                del self._waiting[key]
                self._answers.pop(key, None)

    def answer(self, identity: str, token_digest: bytes, session: Session | None) -> None:
        """Give an answer to all who wait for it."""
        answer = self._answers.pop((identity, token_digest), None)
        if answer is not None and not answer.done():
            answer.set_result(session)

    def ask_again(self) -> None:
        """Ask a new aggregator what the one before has not answered."""
        for key in self._answers:
            self.ask(*key)
