"""Deliver answers by POST, several at a time, each try within one deadline."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import random
import threading

import httpx

from aggregator.sinks.answer_folder import AnswerFolder
from aggregator.sinks.answer_queue import AnswerQueue, WaitingAnswer
from shared import __version__
from shared.config.plugins import CallbacksArgs
from shared.process.clock import Clock

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
"""Seconds before the second try; doubled for each further one."""
LONGEST_PAUSE = 600.0
"""Greatest pause between two tries, in seconds."""
MOST_DOUBLINGS = 16
"""More lead beyond any pause; a thousand would lead beyond any number."""
IDLE_SECONDS = 1.0
"""Longest sleep of the thread."""
CLOSE_SECONDS = 1.0
"""Time to end after the last try, which has its own deadline."""


def signature(key: str, body: bytes) -> str:
    """Value of the header ``X-Signature``."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


class Couriers:
    """A thread that delivers the answers of a queue.

    Each try is a task of the thread's event loop, so that a deadline ends it wherever it is:
    connecting, in the TLS handshake, sending, or amid the head of the reply. The body of the reply
    is never read, and redirects are not followed.

    Args:
        args: arguments of the plugin.
        folder: the answers' files.
        queue: which answer is due; it bounds the tries under way.
        clock: times the tries.

    Attributes:
        given_up: answers without success after the last try.
        failing: the last try that ended was not taken.
    """

    def __init__(
        self, args: CallbacksArgs, folder: AnswerFolder, queue: AnswerQueue, clock: Clock
    ) -> None:
        self._args = args
        self._folder = folder
        self._queue = queue
        self._clock = clock
        self._stopping = False
        self.given_up = 0
        self.failing = False
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="couriers", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now; any thread may call it."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self) -> None:
        """End after the tries that are under way; what waits stays in the folder."""
        self._stopping = True
        self.wake()
        self._thread.join(self._args.timeout + CLOSE_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._deliver_all())

    async def _deliver_all(self) -> None:
        tries: set[asyncio.Task[None]] = set()
        # A TLS handshake must end by a time-out of httpcore: cancelled by the deadline, it would
        # leave its socket open.
        timeout = httpx.Timeout(self._args.timeout, connect=self._args.timeout / 2)
        async with httpx.AsyncClient(timeout=timeout) as client:
            while not self._stopping:
                self._wake.clear()
                while (answer := self._queue.take(self._clock.monotonic())) is not None:
                    task = asyncio.create_task(self._deliver(client, answer))
                    tries.add(task)
                    task.add_done_callback(tries.discard)
                await self._sleep()
            if tries:
                await asyncio.wait(tries)

    async def _sleep(self) -> None:
        """Wait until an answer is due, is added, or a courier is free."""
        due = self._queue.next_due()
        pause = IDLE_SECONDS
        if due is not None:
            pause = min(pause, max(0.0, due - self._clock.monotonic()))
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return

    async def _deliver(self, client: httpx.AsyncClient, answer: WaitingAnswer) -> None:
        fault = await self._try(client, answer.session)
        answer.tries += 1
        self.failing = bool(fault)
        if fault:
            fields = {"session": answer.session}
            log.warning("callback not taken: %s", fault, extra={"fields": fields})
        if not fault:
            self._finish(answer)
        elif answer.tries > self._args.retries:
            self.given_up += 1
            log_given_up(answer.session, f"{answer.tries} tries")
            self._finish(answer)
        else:
            self._queue.retry(answer, self._clock.monotonic() + pause_after(answer.tries))
        self._wake.set()

    async def _try(self, client: httpx.AsyncClient, session: str) -> str:
        """Post an answer once; a status of 200 to 299 counts as taken.

        Returns:
            Why it was not taken; empty where it was.
        """
        url = self._args.url or ""
        try:
            body = self._folder.read(session)
            headers = self._headers(session, body)
            async with (
                asyncio.timeout(self._args.timeout),
                client.stream("POST", url, content=body, headers=headers) as reply,
            ):
                return "" if reply.is_success else f"status {reply.status_code}"
        except TimeoutError:
            return f"no reply within {self._args.timeout:g} s"
        except Exception as error:  # httpx raises more kinds, for a Location that is no address too
            return type(error).__name__

    def _headers(self, session: str, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"lunapass/{__version__}",
            "Idempotency-Key": session,
        }
        if self._args.key is not None:
            headers["X-Signature"] = signature(self._args.key.get_secret_value(), body)
        return headers

    def _finish(self, answer: WaitingAnswer) -> None:
        self._folder.finish(answer.session)
        self._queue.remove(answer)


def pause_after(tries: int) -> float:
    """Seconds to wait after so many tries; a random part keeps retries of an outage apart."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, MOST_DOUBLINGS))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311


def log_given_up(session: str, why: str) -> None:
    """Log that an answer will not be delivered."""
    log.error("callback given up: %s", why, extra={"fields": {"session": session}})
