"""What a configuration asks of a person: in one sentence, and where that is little.

A configuration with little is no mistake; it may be what the manual's defaults are. So these
warnings stand beside the rules of ``config_rules``, and are given where people read them.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.config.findings import Finding, warning
from shared.config.service import Config

DESCRIBING = ("onnx", "oip")
"""Backends that always describe faces where they measure liveness."""
MANY_FACES = {1: "the largest", 2: "the one closest to the centre"}
"""Which face each ``multifacePolicy`` judges that lets several be in the picture."""


def sentence(config: Config) -> str:
    """Say in one sentence what it takes to be accepted."""
    plugins = config.MIDDLEWARES.WS
    active = plugins.ActiveLiveness
    parts = [f"Accepts {_frames(config)} out of {_tries(config)}"]
    if plugins.FaceMatcher.isEnabled:
        parts.append("the same person throughout")
    count = active.args.interactionsCount
    actions = f"asks for {count} action{'s' if count > 1 else ''}"
    parts.append(actions if active.isEnabled else "no active liveness")
    refused = config.LIMITS.refusedSessionsPerAddress
    bound = f"{refused} refused sessions" if refused else "any number of refused sessions"
    parts.append(f"{bound} of one address an hour")
    if judged := MANY_FACES.get(config.LIVENESS.THRESHOLDS.multifacePolicy):
        parts.append(f"judges {judged} of several faces")
    return "; ".join(parts) + "."


def weaknesses(config: Config) -> Iterator[Finding]:
    """Warn where little is asked.

    That is where one lucky frame, frames of different people, or tries without end can decide, and
    where the best shot may show faces that nobody judged.
    """
    yield from _one_frame(config)
    yield from _different_people(config)
    yield from _tries_without_end(config)
    yield from _other_faces(config)


def _frames(config: Config) -> str:
    count = _needed(config)
    if count == 1:
        return "one passing frame"
    early = config.MIDDLEWARES.WS.AggregateLiveness.args.earlyDecision
    people = " of one person" if _compares_faces(config) else ""
    fewer = ", or fewer that agree," if early else ""
    return f"a passing mean over {count} frames{people}{fewer}"


def _needed(config: Config) -> int:
    """Frames that decide together."""
    aggregate = config.MIDDLEWARES.WS.AggregateLiveness
    return aggregate.args.framesCount if aggregate.isEnabled else 1


def _tries(config: Config) -> str:
    most = _max_tries(config)
    return (
        f"as many as {config.LIMITS.sessionSeconds:g} s allow"
        if most is None
        else f"at most {most}"
    )


def _max_tries(config: Config) -> int | None:
    """Frames with which a session can try at most; None where only its length bounds them."""
    section = config.LIVENESS
    limits = (section.maxAttempts, section.maxLivenessAttempts, config.LIMITS.livenessRefusals)
    return min((bound for bound in limits if bound > 0), default=None)


def _compares_faces(config: Config) -> bool:
    """Whether AggregateLiveness can hold to one face: only where the backend describes faces."""
    return config.MIDDLEWARES.WS.FaceMatcher.isEnabled or config.WORKERS.backend in DESCRIBING


def _one_frame(config: Config) -> Iterator[Finding]:
    plugins = config.MIDDLEWARES.WS
    if _needed(config) > 1 or plugins.ActiveLiveness.isEnabled:
        return
    place = "[MIDDLEWARES.WS.AggregateLiveness]"
    if plugins.AggregateLiveness.isEnabled:
        yield warning(place, "args.framesCount is 1, so that one lucky frame decides; raise it")
    else:
        yield warning(
            place,
            "is off, so that one lucky frame decides; set isEnabled = 1 there or in "
            "[MIDDLEWARES.WS.ActiveLiveness]",
        )


def _different_people(config: Config) -> Iterator[Finding]:
    if _needed(config) > 1 and not _compares_faces(config):
        yield warning(
            "[MIDDLEWARES.WS.AggregateLiveness]",
            f"is on without FaceMatcher, and the backend {config.WORKERS.backend} may not describe "
            "faces, so that frames of different people can decide together; set isEnabled = 1 in "
            "[MIDDLEWARES.WS.FaceMatcher], which needs a backend that does",
        )


def _tries_without_end(config: Config) -> Iterator[Finding]:
    if _max_tries(config) is None:
        yield warning(
            "[LIMITS] livenessRefusals",
            "is 0, and [LIVENESS] bounds no attempts, so that a session can try until a frame "
            "passes; set the default, 15",
        )
    if config.LIMITS.refusedSessionsPerAddress == 0:
        yield warning(
            "[LIMITS] refusedSessionsPerAddress",
            "is 0, so that whoever was refused can try again at once and without end; set the "
            "default, 20",
        )


def _other_faces(config: Config) -> Iterator[Finding]:
    policy = config.LIVENESS.THRESHOLDS.multifacePolicy
    if policy not in MANY_FACES:
        return
    size = "a larger" if policy == 2 else "another"
    yield warning(
        "[LIVENESS.THRESHOLDS] multifacePolicy",
        f"is {policy}, so that {size} face may be on the best shot beside the one that is judged; "
        "set 0, or compare the face at details.faceFramePosition.faceRect of the token alone",
    )
