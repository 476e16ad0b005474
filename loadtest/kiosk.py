"""One kiosk: a camera and a screen with one person after another before it.

The state machine: *connecting* -> *showing* (frames go out on schedule, prompts are obeyed) ->
verdict, or *broken* -> *resuming* by token -> *showing*. Every person ends in exactly one entry of
the tally: accepted, refused, left, or failed with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from loadtest.gallery import Gallery
from loadtest.look import Look
from loadtest.plan import Plan
from loadtest.script import Actor
from loadtest.tally import Tally, note
from lunapass.client import Answer, Client
from shared.codes import PROMPTS
from shared.protocol import Command

MISTAKES = (Look(distance=1.8), Look(blur=4.0), Look(yaw=28.0), Look(brightness=0.15))
"""What a person does while getting ready."""
SILENCE = 30.0
"""Seconds without the answer to a frame after which a session has failed."""
RESUMPTIONS = 10
RESUME_PAUSE = 0.3


class End(StrEnum):
    """How a stay on one connection ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LEFT = "left"
    BROKEN = "broken"
    FAILED = "failed"


@dataclass
class Person:
    """One person's attempt, over as many connections as it takes.

    Attributes:
        break_after: frames after which the connection breaks; 0 for never.
        due: time at which each unanswered frame was due, by its number.
        reason: why the last connection ended.
        leaving: the person has said good-bye.
        silent: the service owes an answer for too long.
    """

    actor: Actor
    chance: random.Random
    began: float
    break_after: int = 0
    session: str | None = None
    token: str | None = None
    sent: int = 0
    due: dict[int, float] = field(default_factory=dict)
    reason: str = ""
    leaving: bool = False
    silent: bool = False


class Kiosk:
    """Plays people against the service.

    Args:
        plan: how people behave.
        gallery: what they look like.
        tally: gives the tally of the current second.
        seed: fixes chance.
    """

    def __init__(self, plan: Plan, gallery: Gallery, tally: Callable[[], Tally], seed: int) -> None:
        self._plan = plan
        self._gallery = gallery
        self._tally = tally
        self._chance = random.Random(seed)  # noqa: S311  # behaviour, no secret

    async def stay(self, wanted: Callable[[], bool]) -> None:
        """Let one person after another come for as long as the kiosk is wanted."""
        if self._plan.fps:  # kiosks are not in step with each other
            await asyncio.sleep(self._chance.uniform(0, 1 / self._plan.fps))
        while wanted():
            await self.attend(time.monotonic(), wanted)
            if self._plan.think:
                await asyncio.sleep(self._chance.expovariate(1 / self._plan.think))

    async def attend(self, arrived: float, wanted: Callable[[], bool]) -> None:
        """Let one person try until there is a verdict, or no hope for one."""
        chance = self._chance
        breaks = chance.random() < self._plan.breaks
        person = Person(
            Actor(chance.getrandbits(32)), chance, arrived, chance.randint(1, 8) if breaks else 0
        )
        self._tally().counts["begun"] += 1
        end = End.BROKEN
        for attempt in range(RESUMPTIONS):
            wish = arrived if attempt == 0 else time.monotonic()
            end = await self._visit(person, wish, wanted)
            if end is not End.BROKEN or person.session is None:
                break
            self._tally().counts["resumed"] += 1
            await asyncio.sleep(RESUME_PAUSE)
        if end in (End.BROKEN, End.FAILED):
            self._tally().failed[person.reason] += 1
        else:
            self._tally().counts[end.value] += 1

    async def _visit(self, person: Person, wish: float, wanted: Callable[[], bool]) -> End:
        """Connect, or connect again, and show the person until something ends it."""
        client = Client(self._plan.url, session_id=person.session, resume_token=person.token)
        try:
            async with client:
                assert client.connected is not None
                note(self._tally().connecting, time.monotonic() - wish)
                if client.connected.command is not Command.CONNECTED:
                    return _after_refusal(person, client.connected)
                person.session, person.token = client.session_id, client.resume_token
                person.sent = client.connected.headers["seq"]
                person.due.clear()
                return await self._show(client, person, wanted)
        except InvalidStatus as error:
            person.reason = f"HTTP {error.response.status_code}"
        except ConnectionClosed as error:
            if person.silent:
                return End.FAILED
            person.reason = f"closed {error.rcvd.code if error.rcvd else 'without a word'}"
        except (OSError, WebSocketException, TimeoutError) as error:
            person.reason = type(error).__name__
        return End.BROKEN

    async def _show(self, client: Client, person: Person, wanted: Callable[[], bool]) -> End:
        answered = asyncio.Event()
        sender = asyncio.create_task(self._sending(client, person, answered, wanted))
        try:
            async for raw in client.socket:
                end = self._hear(Answer.parse(raw), person)
                answered.set()
                if end is not None:
                    return end
        finally:
            sender.cancel()
        person.reason = f"closed {client.close_code}"
        return End.BROKEN

    def _hear(self, answer: Answer, person: Person) -> End | None:
        tally = self._tally()
        if answer.command is Command.STATUS:
            due = person.due.pop(answer.seq or 0, None)
            tally.counts["judged"] += 1
            if due is not None:
                note(tally.latency, time.monotonic() - due)
            tally.codes.update(answer.body["errors"])
            for code in answer.body["errors"]:
                if code in PROMPTS:
                    person.actor.ask(code)
        elif answer.command is Command.DROPPED:
            person.due.pop(answer.seq or 0, None)
            tally.dropped[answer.headers["reason"]] += 1
        elif answer.command is Command.RESULT:
            if person.leaving:
                return End.LEFT
            return End.ACCEPTED if answer.body["isOk"] else End.REFUSED
        elif answer.command is Command.ERROR:
            return _after_refusal(person, answer)
        return None

    async def _sending(
        self, client: Client, person: Person, answered: asyncio.Event, wanted: Callable[[], bool]
    ) -> None:
        with contextlib.suppress(ConnectionClosed):  # the receiver tells of it
            await self._send(client, person, answered, wanted)

    async def _send(
        self, client: Client, person: Person, answered: asyncio.Event, wanted: Callable[[], bool]
    ) -> None:
        """Send frames when they are due, until the person leaves or the line breaks."""
        fps, due = self._plan.fps, time.monotonic()
        while True:
            now = time.monotonic()
            if self._impatient(person, now) or not wanted():
                person.leaving = True
                await client.send(Command.DISCONNECT)
                return
            if person.due and now - min(person.due.values()) > SILENCE:
                person.silent, person.reason = True, "no answer"
                client.socket.transport.abort()
                return
            await self._send_frame(client, person, due, now)
            if person.break_after and person.sent >= person.break_after:
                person.break_after = 0
                client.socket.transport.abort()
                return
            if fps:
                due += 1 / fps
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            else:
                answered.clear()
                await answered.wait()
                due = time.monotonic()

    async def _send_frame(self, client: Client, person: Person, due: float, now: float) -> None:
        frame = self._gallery.nearest(self._look(person, now))
        person.sent += 1
        person.due[person.sent] = due
        tally = self._tally()
        tally.counts["sent"] += 1
        note(tally.lateness, now - due)
        await client.send_frame(frame)

    def _look(self, person: Person, now: float) -> Look:
        elapsed = now - person.began
        if elapsed < self._plan.prepare:
            return MISTAKES[int(elapsed / self._plan.prepare * len(MISTAKES))]
        return person.actor.look(elapsed)

    def _impatient(self, person: Person, now: float) -> bool:
        return bool(self._plan.patience) and now - person.began > self._plan.patience


def _after_refusal(person: Person, answer: Answer) -> End:
    person.reason = str((answer.body or {}).get("code", "error"))
    return End.FAILED
