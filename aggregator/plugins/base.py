"""What a session plugin is: a plain class that sees every estimate and may object, ask or end.

A plugin must be a pure fold over the session's events: time, chance and logging come through the
context, so that a replay after a restart gives the same state and the same verdict. What only the
outside knows it asks with a ``Question``, whose answer becomes part of the session's log.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from aggregator.policy import Stated
from shared.codes import Code
from shared.config.base import Section
from shared.config.service import Config
from shared.digests import short_digest
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile


@dataclass
class SessionContext:
    """A session as its plugins see it.

    Attributes:
        session: id of the session.
        random: source of chance, seeded for the session; the only one a plugin may use.
        log: logger; its lines name the session and the frame that is judged.
        now: time of the current event: wall time of the session's opening, in seconds of the epoch,
            and what has passed since then. A step of the wall clock does not show in it.
        client: what the client told of itself in CONNECT; hostile until judged.
        mirrored: the client sends mirrored pictures.
        replay: the event is a repetition after a restart; outside effects must not happen again.
        profile: checks asked of the next frame; a plugin may set it.
        best_seq: sequence number of the frame to keep as best shot; a plugin may set it.
        best_shot: that frame's picture, ``frame.shot``; what goes into the token.
        best: that frame's estimate.
        acted: the person has done what ActiveLiveness asked.
        data: what plugins tell each other and, under their names, the token's details. It holds
            JSON values.
    """

    session: str
    random: random.Random
    log: logging.Logger
    now: float
    client: dict[str, Any] = field(default_factory=dict)
    mirrored: bool = False
    replay: bool = False
    profile: Profile = Profile.PASSIVE
    best_seq: int = 0
    best_shot: BestShot | None = None
    best: Estimate | None = None
    acted: bool = False
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class FrameJudgement:
    """One frame on its way through the plugins.

    Attributes:
        seq: number of the frame in its session.
        estimate: what was measured.
        frame: its picture, where it is at hand; a replay may lack it. Of a frame that passed
            every check of the worker it is ``shot.image``, else what the client sent.
        errors: codes so far: the worker's, then those that plugins add.
        shot: the judged pixels as JPEG, with the digest of what the client sent; None for a frame
            that cannot become the best shot, and where a replay lacks it.
        ended: a plugin ends the session without success.
        withheld: it counts for nothing, so that no plugin sees it.
        reused: another session has sent its pixels before.
    """

    seq: int
    estimate: Estimate
    frame: bytes | None
    errors: list[int]
    shot: BestShot | None = None
    ended: bool = False
    withheld: bool = False
    reused: bool = False

    @property
    def ok(self) -> bool:
        """Whether nobody objects so far."""
        return not self.errors

    def refuse(self, code: int, *, end: bool = False) -> None:
        """Add a code, once; ``end`` ends the session without success."""
        if code not in self.errors:
            self.errors.append(code)
        self.ended = self.ended or end

    def withhold(self, code: int, *, end: bool = False) -> None:
        """Let the frame count for nothing, for the reason of this code alone."""
        self.withheld = True
        self.errors[:] = [code]
        self.ended = self.ended or end


@dataclass(frozen=True)
class Question:
    """Something only the outside can answer; the frame's judgement waits for it.

    Attributes:
        ask: gets the answer, at most 16 KiB; what it raises counts as no answer.
        seconds: longest time for it; then there is no answer.
        at_once: gets the answer where no waiting is needed; None where there is.
    """

    ask: Callable[[], Awaitable[bytes]]
    seconds: float
    at_once: Callable[[], bytes | None] = lambda: None


def numbers_of(args: BaseModel) -> dict[str, bool | int | float]:
    """Return the arguments that are numbers or switches; text may be a secret, path or address."""
    return {name: value for name, value in args if isinstance(value, bool | int | float)}


class Plugin:
    """Base of session plugins; one instance per session. Override what you need.

    Attributes:
        Args: model of the plugin's ``args`` in the configuration.
        gathers: its objections ask for more frames and say nothing against this one, which may be
            the best shot. Otherwise only code 37 does.
    """

    Args: ClassVar[type[BaseModel]] = Section
    gathers: ClassVar[bool] = False

    def __init__(self, args: Any = None) -> None:
        self.args = args

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Prepare, once at the start, what all sessions share; answer what makes one's plugin.

        The answer may have a coroutine method ``close``, which is called at the end.

        Args:
            args: the plugin's arguments, an instance of ``Args``.
            config: the whole configuration.

        Raises:
            ConfigError: the plugin cannot work with these arguments.
        """
        return lambda: cls(args)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """Say for the token's claim ``policy`` how the plugin is configured.

        The claim is short, and whoever has a token can read it: no secret, path or address. The
        default is a digest of all arguments, without those of the type ``SecretStr``.

        Args:
            args: the plugin's arguments, an instance of ``Args``; None for a plugin without any.
            config: the whole configuration.

        Returns:
            JSON values; equal configurations must give equal ones.
        """
        return {} if args is None else {"digest": short_digest(args.model_dump())}

    def on_open(self, context: SessionContext) -> None:
        """See the session's beginning."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> Question | None:
        """See a frame; refuse it, or ask a question before it goes on to the next plugin."""
        return None

    def on_answer(
        self, context: SessionContext, frame: FrameJudgement, answer: bytes | None
    ) -> None:
        """Take the answer to the question; None when there was none, which refuses the frame."""
        if answer is None:
            frame.refuse(Code.EXTERNAL_FAILED)

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        """See a frame that another session has sent before; it is refused already."""

    def on_close(self, context: SessionContext, *, accepted: bool) -> None:
        """See the session's end."""
