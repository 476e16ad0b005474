"""Judges sessions by the service's plugins, from the estimates of their frames."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aggregator.plugins.base import Question
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from evaluation.judging import Measured
from evaluation.samples import Sample
from shared.config.service import Config
from shared.frame.best_shot import BestShot, ImageSource
from shared.frame.estimation import Estimate, Profile
from shared.wire.messages import Open

OPENED_AT = 1_000_000.0
"""Seconds of the epoch; verdicts do not depend on it."""


class SessionOutcome(StrEnum):
    """How a recorded session ends.

    ASKED: an action was asked, which a recording cannot do. UNDECIDED: its frames ended first.
    """

    ACCEPTED = "accepted"
    ASKED = "asked"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class SessionVerdict:
    """Result of the plugins for a session.

    Attributes:
        frames: number of frames up to its end.
        seconds: time from the first to the last of them.
        codes: codes of the last frame.
        findings: number of these frames with each code.
        data: what the plugins report, as in the token's details.
        refused: why the service would refuse the next frame; empty if all can be decoded.
    """

    sample: Sample
    outcome: SessionOutcome
    frames: int
    seconds: float
    codes: tuple[int, ...]
    findings: dict[int, int]
    data: dict[str, Any]
    refused: str = ""


def judge_session(
    measured: Measured, times: Sequence[float], registry: Registry, config: Config
) -> SessionVerdict:
    """Fold a session's frames until it is decided, asks for an action, or has no more frames.

    Questions to other services stay unanswered. Frames of other sessions are not remembered, so
    recordings that share frames are judged independently.

    The estimates are those of a worker in the full check. ``times`` are the seconds at which the
    frames came.
    """
    digest = hashlib.sha256(measured.sample.name.encode()).digest()
    opened = Open("", digest.hex()[:32], OPENED_AT, int.from_bytes(digest[:7]), bytes(32))
    session = JudgedSession(
        opened, registry.plugins(), config.LIVENESS, registry.policy, config.LIMITS
    )
    outcome, number = SessionOutcome.UNDECIDED, 0
    codes: tuple[int, ...] = ()
    findings: Counter[int] = Counter()
    for number, (estimate, at) in enumerate(zip(measured.frames, times, strict=True), 1):
        folded = _fold(session, number, OPENED_AT + at - times[0], estimate)
        codes = folded.errors
        findings.update(map(int, codes))
        if folded.final:
            outcome = SessionOutcome.ACCEPTED if folded.accepted else SessionOutcome.REFUSED
            break
        if folded.profile is Profile.ACTIVE:
            outcome = SessionOutcome.ASKED
            break
    seconds = times[number - 1] - times[0] if number else 0.0
    return SessionVerdict(
        measured.sample,
        outcome,
        number,
        seconds,
        codes,
        dict(findings),
        session.context.data,
        measured.refused,
    )


def _fold(session: JudgedSession, number: int, at: float, estimate: Estimate) -> Outcome:
    source = ImageSource.of(b"%d" % number, "jpeg")
    shot = BestShot(number, b"", source) if estimate.ok else None
    step = session.fold(number, at, estimate, None, replay=False, shot=shot)
    while isinstance(step, Question):
        step = session.resolve(step.at_once())
    return step
