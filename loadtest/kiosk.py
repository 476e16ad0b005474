"""One kiosk: a camera and a screen that people use one after another.

The state machine: *connecting* -> *showing* (frames are sent on schedule, prompts are followed) ->
verdict, or *broken* -> *resuming* by token -> *showing*. Whatever the service does, every person is
counted in the tally exactly once: accepted, refused, left, or failed with a reason.
"""

import asyncio
import contextlib
import math
import random
import re
import time
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from loadtest.gallery import Take
from loadtest.plan import Plan, StartTokenSource
from loadtest.script import Actor
from loadtest.synthetic.look import Look
from loadtest.tally import CUT, LOST, UNJUDGED, CrowdTally, record
from loadtest.visitor import End, Visitor
from lunapass_client.answers import Answer
from lunapass_client.asynchronous import Client
from lunapass_client.conversation import RESUMABLE, pauses
from shared.codes import PROMPTS, Code
from shared.wire.protocol import Command, Drop

MISTAKES = (Look(distance=1.8), Look(blur=4.0), Look(yaw=28.0), Look(brightness=0.15))
"""Typical mistakes of a person who gets ready."""
SILENCE_SECONDS = 30.0
"""A session has failed if no byte of an overdue answer arrives for this time."""
RESUMPTIONS = 8
"""Attempts to resume, with growing pauses, before a session has failed."""
TICK_SECONDS = 0.5
"""Interval of checks whether to continue."""
REST_SECONDS = 1.0
"""Minimum time to the next person after a failure."""
UNREADABLE = "unreadable answer"
VIOLATIONS = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError)
"""What an answer that violates the protocol causes."""
_NAME = re.compile(r"[a-z][a-z0-9.-]{0,40}")


class Kiosk:
    """Plays people against the service.

    It counts in the tally of the current second. If there is a source of start tokens, it is called
    for each attempt to begin a session.
    """

    def __init__(
        self,
        plan: Plan,
        take: Take,
        tally: Callable[[], CrowdTally],
        seed: int,
        start_token: StartTokenSource | None = None,
    ) -> None:
        self._plan = plan
        self._take = take
        self._tally = tally
        self._chance = random.Random(seed)  # noqa: S311  # behaviour, no secret
        self._start_token = start_token
        self.present = False

    async def stay(self, wanted: Callable[[], bool]) -> None:
        """Serve one person after another as long as the kiosk is wanted."""
        if self._plan.fps:  # so that kiosks do not send at the same moments
            await asyncio.sleep(self._chance.uniform(0, 1 / self._plan.fps))
        while wanted():
            end = await self.attend(time.monotonic(), wanted)
            if not wanted():
                return
            think = self._chance.expovariate(1 / self._plan.think) if self._plan.think else 0.0
            await asyncio.sleep(max(think, REST_SECONDS) if end is End.FAILED else think)

    async def attend(self, arrived: float, wanted: Callable[[], bool]) -> End:
        """Serve one person until there is a verdict or a failure."""
        chance = self._chance
        breaks = chance.random() < self._plan.breaks
        actor = Actor(chance.getrandbits(32))
        person = Visitor(actor, arrived, chance.randint(1, 8) if breaks else 0)
        self._tally().counts["begun"] += 1
        self.present, end = True, End.FAILED
        try:
            end = await self._try(person, wanted)
        except asyncio.CancelledError:
            person.reason = "no final answer"
            raise
        finally:
            self.present = False
            self._count(person, end)
        return end

    def _count(self, person: Visitor, end: End) -> None:
        """Count a person's end and the unanswered frames."""
        tally = self._tally()
        if end is End.FAILED:
            tally.failed[person.reason or "client error"] += 1
        else:
            tally.counts[end.value] += 1
        self._drop(person, LOST if end is End.FAILED else Drop.ENDED)

    def _drop(self, person: Visitor, reason: str) -> None:
        if person.due:
            self._tally().dropped[reason] += len(person.due)
            person.due.clear()

    async def _try(self, person: Visitor, wanted: Callable[[], bool]) -> End:
        """Connect, and connect again after the connection breaks."""
        wanted_since, waits = person.started, pauses(RESUMPTIONS)
        while True:
            visits = person.visits
            end = await self._visit(person, wanted_since, wanted)
            if end is not End.BROKEN:
                return end
            self._drop(person, CUT if person.cut else LOST)
            person.cut = False
            if person.visits > visits:
                wanted_since, waits = math.inf, pauses(RESUMPTIONS)
            pause = next(waits, None)
            if person.session is None or pause is None:
                return End.FAILED
            await asyncio.sleep(pause)
            wanted_since = min(wanted_since, time.monotonic())

    async def _visit(self, person: Visitor, wanted_since: float, wanted: Callable[[], bool]) -> End:
        """Connect or resume, and send frames until the connection or the session ends."""
        client = Client(
            self._plan.url,
            session_id=person.session,
            resume_token=person.token,
            start_token=self._start_token,
            consent=self._plan.consent_now(),
        )
        try:
            async with client:
                assert client.connected is not None
                if client.connected.command is not Command.CONNECTED:
                    return _after_refusal(person, client.connected)
                self._granted(person, client, time.monotonic() - wanted_since)
                return await self._show(client, person, wanted)
        except InvalidStatus as error:
            person.reason = f"HTTP {error.response.status_code}"
        except ConnectionClosed as error:
            return _after_close(person, error.rcvd.code if error.rcvd else 1006)
        except (OSError, WebSocketException) as error:  # TimeoutError too
            person.reason = type(error.__cause__ or error).__name__
        except VIOLATIONS:
            person.reason = UNREADABLE
            return End.FAILED
        return End.BROKEN

    def _granted(self, person: Visitor, client: Client, seconds: float) -> None:
        tally = self._tally()
        record(tally.connecting, seconds)
        person.visits += 1
        if person.session is not None:
            tally.counts["resumed"] += 1
        assert client.connected is not None
        person.sent = int(client.connected.headers["seq"])
        limits = client.connected.headers.get("limits", {})
        person.interval = 1 / float(limits.get("framesPerSecond", math.inf))
        person.session, person.token = client.session_id, client.resume_token

    async def _show(self, client: Client, person: Visitor, wanted: Callable[[], bool]) -> End:
        answered = asyncio.Event()
        sender = asyncio.create_task(self._send(client, person, answered, wanted))
        try:
            async for raw in client.socket:
                end = self._handle(Answer.parse(raw), person)
                answered.set()
                if end is not None:
                    return end
        finally:
            sender.cancel()
        return _after_close(person, client.close_code or 1006)

    def _handle(self, answer: Answer, person: Visitor) -> End | None:
        if answer.command is Command.STATUS:
            self._handle_status(answer, person)
        elif answer.command is Command.DROPPED:
            reason = answer.headers["reason"]
            if person.due.pop(answer.headers["seq"], None) is not None:
                self._tally().dropped[reason if reason in list(Drop) else "other"] += 1
        elif answer.command is Command.RESULT:
            accepted = bool(answer.body["isOk"])
            if person.leaving:
                return End.LEFT
            return End.ACCEPTED if accepted else End.REFUSED
        elif answer.command is Command.ERROR:
            return _after_refusal(person, answer)
        return None

    def _handle_status(self, answer: Answer, person: Visitor) -> None:
        codes = [int(code) for code in answer.body["errors"]]
        for code in codes:
            if code in PROMPTS:
                person.actor.ask(code)
        due = person.due.pop(answer.headers["seq"], None)
        if due is None:
            return  # its frame was counted as dropped when the connection broke
        tally = self._tally()
        tally.codes.update(codes)
        if Code.ESTIMATION_FAILED in codes:
            tally.dropped[UNJUDGED] += 1
        else:
            tally.counts["judged"] += 1
            record(tally.latency, time.monotonic() - due)

    async def _send(
        self, client: Client, person: Visitor, answered: asyncio.Event, wanted: Callable[[], bool]
    ) -> None:
        """Send frames when they are due, until the person leaves or the connection breaks."""
        fps, due = self._plan.fps, time.monotonic()
        allowed = due
        with contextlib.suppress(ConnectionClosed):  # the receiver handles it
            while True:
                now = time.monotonic()
                patience = self._plan.patience or math.inf
                if now - person.started > patience or not wanted():
                    person.leaving = True
                    await client.send(Command.DISCONNECT)
                    return
                if due <= now:
                    answered.clear()
                    await self._send_frame(client, person, due, now)
                    due = due + 1 / fps if fps else math.inf
                    allowed = now + person.interval
                    person.cut = 0 < person.break_after <= person.sent
                person.silent = _is_silent(person, client.arrived_bytes, now)
                if person.silent or person.cut:
                    person.break_after = 0
                    client.abort()
                    return
                if due < math.inf:
                    await asyncio.sleep(min(TICK_SECONDS, max(0.0, due - time.monotonic())))
                elif await set_within(answered, TICK_SECONDS):
                    due = max(time.monotonic(), allowed)

    async def _send_frame(self, client: Client, person: Visitor, due: float, now: float) -> None:
        frame = self._take(self._look(person, now))
        person.sent += 1
        person.due[person.sent] = due
        tally = self._tally()
        tally.counts["sent"] += 1
        record(tally.lateness, now - due)
        await client.send_frame(frame)

    def _look(self, person: Visitor, now: float) -> Look:
        elapsed = now - person.started
        if elapsed < self._plan.prepare:
            return MISTAKES[int(elapsed / self._plan.prepare * len(MISTAKES))]
        return person.actor.look(elapsed)


def _is_silent(person: Visitor, arrived: int, now: float) -> bool:
    """Return whether an answer is overdue and no byte has arrived for too long."""
    if arrived != person.arrived:
        person.arrived, person.heard = arrived, now
    return now - max(person.heard, min(person.due.values(), default=now)) > SILENCE_SECONDS


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for some seconds and return whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def _after_refusal(person: Visitor, answer: Answer) -> End:
    code = answer.body["code"]
    person.reason = code if _NAME.fullmatch(code) else UNREADABLE
    return End.FAILED


def _after_close(person: Visitor, code: int) -> End:
    if person.silent:
        person.reason = "no answer"
        return End.FAILED
    person.reason = "connection lost" if code == 1006 else f"closed {code}"
    return End.BROKEN if code in RESUMABLE else End.FAILED
