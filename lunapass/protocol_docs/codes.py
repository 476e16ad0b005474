"""The table of all codes: what each means, who can act, and the hint for the person."""

from collections.abc import Iterator

from shared.codes import HINTS, PROMPTS, Code

PERSON, SITE, OPERATOR = "the person", "the site", "the operator"
INTEGRATOR = "the integrator"
CHECKS: dict[str, tuple[str, tuple[Code, ...]]] = {
    "image": (INTEGRATOR, (Code.FRAME_UNDECODABLE,)),
    "estimation": (
        OPERATOR,
        (
            Code.ESTIMATION_FAILED,
            Code.HEAD_POSE_FAILED,
            Code.MOUTH_FAILED,
            Code.GLASSES_FAILED,
            Code.AGS_FAILED,
            Code.LIVENESS_FAILED,
            Code.EXTERNAL_FAILED,
            Code.EYES_FAILED,
            Code.PLUGIN_FAILED,
        ),
    ),
    "quality": (PERSON, (Code.BLURRED,)),
    "light": (SITE, (Code.TOO_LIGHT, Code.TOO_DARK, Code.UNEVEN_LIGHT, Code.GLARE)),
    "faces": (PERSON, (Code.NO_FACE, Code.SEVERAL_FACES)),
    "size of the frame": (INTEGRATOR, (Code.FRAME_TOO_NARROW, Code.FRAME_TOO_LOW)),
    "size of the face": (
        PERSON,
        (Code.FACE_TOO_NARROW, Code.FACE_TOO_LOW, Code.FACE_TOO_CLOSE),
    ),
    "margins": (
        PERSON,
        (Code.MARGIN_BOTTOM, Code.MARGIN_LEFT, Code.MARGIN_TOP, Code.MARGIN_RIGHT),
    ),
    "head pose": (
        PERSON,
        (
            Code.TURN_RIGHT,
            Code.TURN_LEFT,
            Code.TILTED_RIGHT,
            Code.TILTED_LEFT,
            Code.CHIN_UP,
            Code.CHIN_DOWN,
        ),
    ),
    "mouth": (PERSON, (Code.MOUTH_OCCLUDED,)),
    "glasses": (PERSON, (Code.GLASSES_NOT_ALLOWED,)),
    "AGS": (PERSON, (Code.LOW_AGS,)),
    "eyes": (PERSON, (Code.EYES_CLOSED,)),
    "liveness": (PERSON, (Code.LOW_LIVENESS, Code.LOW_LIVENESS_QUALITY)),
    "AggregateLiveness": (PERSON, (Code.AGGREGATING,)),
    "session": (PERSON, (Code.SESSION_FAILED, Code.TOO_MANY_REFUSALS)),
    "ActiveLiveness": (
        PERSON,
        (
            Code.ACTION_FAILED,
            Code.IMPOSSIBLE_REACTION,
            *(code for code in Code if code in PROMPTS),
        ),
    ),
    "FaceMatcher": (PERSON, (Code.OTHER_PERSON,)),
    "VirtualCameraChecker": (INTEGRATOR, (Code.VIRTUAL_CAMERA,)),
    "repetition": (INTEGRATOR, (Code.REPEATED_FRAME,)),
}
"""Who can act and the codes, by check."""
ENDING = {
    Code.LOW_LIVENESS: "from LifeSigns and at the end of AggregateLiveness",
    Code.SESSION_FAILED: "yes",
    Code.ACTION_FAILED: "yes",
    Code.OTHER_PERSON: "if it clearly is another",
    Code.VIRTUAL_CAMERA: "yes",
    Code.PLUGIN_FAILED: "yes",
    Code.REPEATED_FRAME: "after three in a row",
    Code.TOO_MANY_REFUSALS: "yes",
    Code.IMPOSSIBLE_REACTION: "yes",
}
"""Codes that end the session."""
INTRODUCTION = """\
# Codes

<!-- Made by `make docs-protocol` from lunapass_client/codes.py and lunapass/protocol_docs. -->

For developers of clients and for support: every code in `errors` of a frame status or of a result,
the check that it comes from, who can act on it, and the English hint. Codes 1 to 68 are those of
LUNA PASS 1.x; 69 and above are this service's. Of several codes, show the first one, or choose by
priority as the browser library does.

"""


def codes_page() -> str:
    """Return the page of all codes in Markdown."""
    return INTRODUCTION + "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield "| code | name | check | who can act | hint | ends the session |"
    yield "|---|---|---|---|---|---|"
    for code in Code:
        check, actor = _origin(code)
        yield (
            f"| {int(code)} | `{code.name}` | {check} | {actor} | {HINTS[code]}"
            f" | {ENDING.get(code, '')} |"
        )


def _origin(code: Code) -> tuple[str, str]:
    return next((check, actor) for check, (actor, codes) in CHECKS.items() if code in codes)
