"""What a configuration requires of a person: in one sentence, and warnings where that is little.

Requiring little is not an error: the defaults of LUNA PASS do. So these warnings are separate from
``rules`` and are shown only where people read them.
"""

from collections.abc import Iterator

from shared.config.findings import Finding, warning
from shared.config.service import Config

WITH_DESCRIPTORS = ("onnx", "oip")
"""Backends that compute a face descriptor whenever they measure liveness."""
MANY_FACES = {1: "the largest", 2: "the one closest to the centre"}
"""The face that is judged, for each ``multifacePolicy`` that allows several faces in the frame."""


def sentence(config: Config) -> str:
    """Describe in one sentence what it takes to be accepted."""
    plugins = config.MIDDLEWARES.WS
    parts = [f"Accepts {_frames(config)} out of {_tries(config)}"]
    if plugins.FaceMatcher.isEnabled:
        parts.append("the same person throughout")
    parts.append(_actions(config))
    refused = config.LIMITS.refusedSessionsPerAddress
    bound = f"{refused} refused sessions" if refused else "any number of refused sessions"
    parts.append(f"{bound} of one address an hour")
    if of_person := config.LIMITS.refusedSessionsPerPerson:
        parts.append(f"{of_person} refused sessions of one person an hour")
    if judged := MANY_FACES.get(config.LIVENESS.THRESHOLDS.multifacePolicy):
        parts.append(f"judges {judged} of several faces")
    return "; ".join(parts) + "."


def weaknesses(config: Config) -> Iterator[Finding]:
    """Warn where little is required.

    That is where one lucky frame, frames of different people or unlimited tries can decide, and
    where the best shot may show faces that were not judged.
    """
    yield from _one_frame(config)
    yield from _different_people(config)
    yield from _unlimited_tries(config)
    yield from _other_faces(config)


def _actions(config: Config) -> str:
    plugins = config.MIDDLEWARES.WS
    if plugins.ActiveLiveness.isEnabled:
        count = plugins.ActiveLiveness.args.interactionsCount
        return f"asks for {count} action{'s' if count > 1 else ''}"
    if plugins.LifeSigns.isEnabled:
        seconds = plugins.LifeSigns.args.windowSeconds
        return f"asks for an action where {seconds:g} s show no clear signs of life"
    return "no active liveness"


def _frames(config: Config) -> str:
    count = _needed(config)
    if count == 1:
        return "one passing frame"
    early = config.MIDDLEWARES.WS.AggregateLiveness.args.earlyDecision
    people = " of one person" if _compares_faces(config) else ""
    fewer = ", or fewer that agree," if early else ""
    return f"a passing mean over {count} frames{people}{fewer}"


def _needed(config: Config) -> int:
    """Return how many frames decide together."""
    aggregate = config.MIDDLEWARES.WS.AggregateLiveness
    return aggregate.args.framesCount if aggregate.isEnabled else 1


def _tries(config: Config) -> str:
    limit = _max_tries(config)
    return (
        f"as many as {config.LIMITS.sessionSeconds:g} s allow"
        if limit is None
        else f"at most {limit}"
    )


def _max_tries(config: Config) -> int | None:
    """Return how many frames a session can try; None if only its length limits them."""
    section = config.LIVENESS
    limits = (section.maxAttempts, section.maxLivenessAttempts, config.LIMITS.livenessRefusals)
    return min((bound for bound in limits if bound > 0), default=None)


def _compares_faces(config: Config) -> bool:
    """Return whether frames are compared by face, which needs descriptors."""
    return config.MIDDLEWARES.WS.FaceMatcher.isEnabled or config.WORKERS.backend in WITH_DESCRIPTORS


def _one_frame(config: Config) -> Iterator[Finding]:
    plugins = config.MIDDLEWARES.WS
    if _needed(config) > 1 or plugins.ActiveLiveness.isEnabled or plugins.LifeSigns.isEnabled:
        return
    place = "[MIDDLEWARES.WS.AggregateLiveness]"
    if plugins.AggregateLiveness.isEnabled:
        yield warning(place, "args.framesCount is 1, so one lucky frame decides; raise it")
    else:
        yield warning(
            place,
            "is off, so one lucky frame decides; set isEnabled = 1 there or in "
            "[MIDDLEWARES.WS.ActiveLiveness]",
        )


def _different_people(config: Config) -> Iterator[Finding]:
    if _needed(config) > 1 and not _compares_faces(config):
        yield warning(
            "[MIDDLEWARES.WS.AggregateLiveness]",
            f"is on without FaceMatcher, and the backend {config.WORKERS.backend} may not compute "
            "face descriptors, so frames of different people can decide together; set isEnabled = "
            "1 in [MIDDLEWARES.WS.FaceMatcher], which needs a backend with descriptors",
        )


def _unlimited_tries(config: Config) -> Iterator[Finding]:
    if _max_tries(config) is None:
        yield warning(
            "[LIMITS] livenessRefusals",
            "is 0, and [LIVENESS] does not limit attempts, so a session can try until a frame "
            "passes; set the default, 15",
        )
    if config.LIMITS.refusedSessionsPerAddress == 0:
        yield warning(
            "[LIMITS] refusedSessionsPerAddress",
            "is 0, so a refused client can try again at once and without limit; set the default, "
            "20",
        )


def _other_faces(config: Config) -> Iterator[Finding]:
    policy = config.LIVENESS.THRESHOLDS.multifacePolicy
    if policy not in MANY_FACES:
        return
    size = "a larger" if policy == 2 else "another"
    yield warning(
        "[LIVENESS.THRESHOLDS] multifacePolicy",
        f"is {policy}, so {size} face may be on the best shot beside the judged one; set 0, or "
        "compare only the face at details.faceFramePosition.faceRect of the token",
    )
