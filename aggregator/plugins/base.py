"""The interface of session plugins: they see every estimate and may refuse, ask or end.

A plugin must be a pure fold over the session's events. Time, random numbers and logging come from
the context, so that a replay after a restart gives the same state and verdict. To ask an external
system, a plugin returns a ``Question``; the answer becomes part of the session's log.
"""

from __future__ import annotations  # help() then shows aliases by their names

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

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
        random: random numbers, seeded for the session; the only source that a plugin may use.
        log: logger; its lines name the session and the current frame.
        now: time of the current event, Unix time in seconds: the wall time at which the session
            opened plus monotonic time since then, so steps of the wall clock do not affect it.
        prompted: time at which the answer to the frame that plugins saw before was sent, on the
            same clock; None if that is not known.
        client: the client's description of itself in CONNECT; untrusted input.
        replay: the event is replayed after a restart; external effects must not happen again.
        profile: checks to run on the next frame; a plugin may set it.
        best_seq: number of the best shot's frame, 0 if there is none; a plugin may set it.
        best_shot: that frame's image, ``frame.shot``; it goes into the token.
        best: that frame's estimate.
        acted: all actions of ActiveLiveness, or the one of LifeSigns, are complete.
        data: JSON values by plugin name, for other plugins and for the token's details.
    """

    session: str
    random: random.Random
    log: logging.Logger
    now: float
    prompted: float | None = None
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
        estimate: the worker's measurements.
        frame: the image; None if a replay lacks it, also of the frame that was in flight. For a
            frame that passed every check of the worker it is ``shot.image``, otherwise the bytes
            that the client sent.
        errors: codes so far: the worker's, then the plugins'.
        shot: the judged pixels as JPEG, with the digest of the bytes that the client sent; None if
            the frame cannot become the best shot, or in a replay that lacks it.
        ended: a plugin ended the session as refused.
        withheld: the frame does not count and plugins do not see it.
        reused: another session sent the same pixels before.
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
        """Whether the frame has no codes so far."""
        return not self.errors

    def refuse(self, code: int, *, end: bool = False) -> None:
        """Add a code unless it is there already; ``end`` ends the session as refused."""
        if code not in self.errors:
            self.errors.append(code)
        self.ended = self.ended or end

    def withhold(self, code: int, *, end: bool = False) -> None:
        """Exclude the frame from judgement, with this code as the only reason."""
        self.withheld = True
        self.errors[:] = [code]
        self.ended = self.ended or end


class NoAnswer(Exception):
    """A question has no answer, and the plugin logs the reason itself."""


class Question(NamedTuple):
    """A request to an external system; the frame waits for the answer.

    Attributes:
        ask: returns the answer, at most 16 KiB; an exception counts as no answer, and is logged
            unless it is ``NoAnswer``.
        seconds: timeout; after it there is no answer.
        at_once: returns the answer if it is available without waiting, otherwise None.
        asker: who asks, for the log; the service sets it to the plugin's name.
    """

    ask: Callable[[], Awaitable[bytes]]
    seconds: float
    at_once: Callable[[], bytes | None] = lambda: None
    asker: str = "a plugin"


def numbers_of(args: BaseModel) -> dict[str, bool | int | float]:
    """Return the numeric and boolean arguments; text could be a secret, path or address."""
    return {name: value for name, value in args if isinstance(value, bool | int | float)}


class Plugin:
    """Base class of session plugins, with one instance per session. Override what you need.

    Attributes:
        Args: model of the plugin's ``args`` in the configuration.
        gathers: if True, this plugin's codes do not disqualify a frame as best shot: they ask for
            more frames. If False, only code 37 does not.
    """

    Args: ClassVar[type[BaseModel]] = Section
    gathers: ClassVar[bool] = False

    def __init__(self, args: Any = None) -> None:
        self.args = args

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Prepare once what all sessions share; return a callable that makes a session's plugin.

        The callable may have a coroutine method ``close``, which is called at shutdown.

        Raises:
            ConfigError: the plugin cannot work with these arguments.
        """
        return lambda: cls(args)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """Return what the token's claim ``policy`` states about the plugin's configuration.

        Everyone with a token can read the claim: return no secret, path or address, and little
        text. The default is a digest of all arguments except those of the type ``SecretStr``; a
        plugin without arguments gets None.

        Returns:
            JSON values; equal configurations must give equal values.
        """
        return {} if args is None else {"digest": short_digest(args.model_dump())}

    def on_open(self, context: SessionContext) -> None:
        """Handle the start of the session."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> Question | None:
        """Handle a frame: refuse it, or return a question that delays the next plugin."""
        return None

    def on_answer(
        self, context: SessionContext, frame: FrameJudgement, answer: bytes | None
    ) -> None:
        """Handle the answer to the question; by default, None refuses the frame with code 34."""
        if answer is None:
            frame.refuse(Code.EXTERNAL_FAILED)

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Handle a frame that another session sent before; it is already refused."""

    def on_close(self, context: SessionContext, *, accepted: bool) -> None:
        """Handle the end of the session."""
