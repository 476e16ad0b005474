"""What a session plugin is: a plain class that sees every estimate and may object, accept or end.

A plugin must be a pure fold over the session's events: time, chance and logging come through the
context, so that a replay after a restart gives the same state and the same verdict.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from typing import Any

from shared.estimation import Estimate, Profile


@dataclass
class SessionContext:
    """A session as its plugins see it.

    Attributes:
        session: id of the session.
        random: source of chance, seeded for the session; the only one a plugin may use.
        log: logger that names session and plugin.
        now: time of the current event, in seconds of the epoch.
        mirrored: the client sends mirrored pictures.
        replay: the event is a repetition after a restart; outside effects must not happen again.
        profile: checks asked of the next frame; a plugin may set it.
        best_seq: sequence number of the frame to keep as best shot; a plugin may set it.
        best_frame: that frame, encoded.
        best: that frame's estimate.
        data: what plugins tell each other and, under their names, the token's details.
    """

    session: str
    random: random.Random
    log: logging.Logger
    now: float
    mirrored: bool = False
    replay: bool = False
    profile: Profile = Profile.PASSIVE
    best_seq: int = 0
    best_frame: bytes | None = None
    best: Estimate | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class FrameJudgement:
    """One frame on its way through the plugins.

    Attributes:
        seq: number of the frame in its session.
        estimate: what was measured.
        frame: the encoded frame, where it is at hand; a replay may lack it.
        errors: codes so far: the worker's, then those that plugins add.
        ended: a plugin ends the session without success.
    """

    seq: int
    estimate: Estimate
    frame: bytes | None
    errors: list[int]
    ended: bool = False

    @property
    def ok(self) -> bool:
        """Whether nobody objects so far."""
        return not self.errors


class Plugin:
    """Base of session plugins; one instance per session. Override what you need."""

    def on_open(self, context: SessionContext) -> None:
        """See the session's beginning."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """See a frame; add codes to ``frame.errors`` to refuse it."""

    def on_close(self, context: SessionContext, *, accepted: bool) -> None:
        """See the session's end."""
