"""Delivers answers by POST, several at a time, each try with one deadline."""

import asyncio
import contextlib
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

FIRST_RETRY_SECONDS = 1.0
"""Pause before the second try; it doubles with each further one."""
MAX_RETRY_SECONDS = 600.0
"""Maximum pause between two tries."""
MAX_DOUBLINGS = 16
"""Enough to reach the maximum pause; unbounded doubling would overflow a float."""
IDLE_SECONDS = 1.0
"""Maximum sleep of the thread."""
CLOSE_SECONDS = 1.0
"""Time for the thread to end after the last try, which has its own deadline."""


def signature(key: str, body: bytes) -> str:
    """Return the value of the header ``X-Signature``."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


class Couriers:
    """A thread that delivers the answers of a queue, which limits the number of concurrent tries.

    Each try is a task of the thread's event loop, so its deadline covers connecting, the TLS
    handshake, sending and the head of the reply. The body of the reply is never read; redirects are
    not followed. ``given_up`` counts the answers that were not delivered by the last try.
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
        self._failing = False
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="couriers", daemon=True)
        self._thread.start()

    @property
    def failing(self) -> bool:
        """Whether the last finished try failed, or the thread has ended."""
        return self._failing or not self._thread.is_alive()

    def wake(self) -> None:
        """Check the queue now. Thread-safe."""
        with contextlib.suppress(RuntimeError):  # the thread has ended and closed its loop
            self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self) -> None:
        """Stop after the tries in flight; waiting answers stay in the folder."""
        self._stopping = True
        self.wake()
        self._thread.join(self._args.timeout + CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._deliver_all())
        except Exception:
            log.exception("callbacks are off until the aggregator restarts")

    async def _deliver_all(self) -> None:
        tries: set[asyncio.Task[None]] = set()
        # The connect timeout must end a TLS handshake before the deadline does: httpcore leaks the
        # socket of a cancelled handshake.
        timeout = httpx.Timeout(self._args.timeout, connect=self._args.timeout / 2)
        # A proxy of the environment must neither get the signed answer nor end the delivery.
        async with httpx.AsyncClient(
            timeout=timeout, trust_env=False, verify=httpx.create_ssl_context()
        ) as client:
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
        """Wait until an answer is due or added, or a courier is free."""
        due = self._queue.next_due()
        pause = IDLE_SECONDS
        if due is not None:
            pause = min(pause, max(0.0, due - self._clock.monotonic()))
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return

    async def _deliver(self, client: httpx.AsyncClient, answer: WaitingAnswer) -> None:
        failure = await self._try(client, answer.session)
        answer.tries += 1
        self._failing = bool(failure)
        if failure:
            fields = {"session": answer.session}
            log.warning("callback failed: %s", failure, extra={"fields": fields})
        if not failure:
            self._finish(answer)
        elif answer.tries > self._args.retries:
            self.given_up += 1
            log_given_up(answer.session, f"{answer.tries} tries")
            self._finish(answer)
        else:
            self._queue.retry(answer, self._clock.monotonic() + pause_after(answer.tries))
        self._wake.set()

    async def _try(self, client: httpx.AsyncClient, session: str) -> str:
        """POST an answer once; return why it failed, empty for a status of 200 to 299."""
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
        except Exception as error:  # not only httpx.HTTPError: an invalid Location raises others
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
    """Return the seconds to wait after so many tries; jitter spreads the retries of an outage."""
    pause = min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(tries - 1, MAX_DOUBLINGS))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311


def log_given_up(session: str, why: str) -> None:
    """Log that an answer will not be delivered."""
    log.error("callback given up: %s", why, extra={"fields": {"session": session}})
