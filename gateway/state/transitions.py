"""The states of a session, and what may happen in each.

Whether a client is connected is not part of the state; a session proceeds either way.
"""

import enum
from collections.abc import Mapping
from typing import Literal


class State(enum.StrEnum):  # the hash of a string is computed once: 4 us less for each frame
    """What a session waits for."""

    OPENING = "the aggregator's checks for the first frame"
    READY = "a frame"
    ESTIMATING = "the estimate of the frame in flight"
    JUDGING = "the judgement of the frame in flight"
    HOLDING = "the release of the answer to that frame"
    CLOSING = "the final verdict, requested when it was closed"
    DECIDED = "the release of the final verdict"
    RELEASED = "its client, which may have the final verdict"
    ENDED = "nothing: this gateway no longer has it"


Event = Literal[
    "open",
    "offer",
    "start",
    "discard",
    "estimate",
    "judge",
    "answer",
    "close",
    "decide",
    "release",
    "end",
]
"""What may happen to a session:

open
    the aggregator names the checks of the first frame
offer
    a frame arrives
start
    the waiting frame goes to the pool
discard
    the frame in flight is unreadable, or was answered at its deadline
estimate
    its estimate arrives
judge
    its judgement arrives
answer
    the answer to it may be sent
close
    the final verdict is asked for
decide
    the final verdict arrives
release
    the final verdict may be sent
end
    the gateway drops the session
"""

_IN_FLIGHT: tuple[Event, ...] = ("estimate", "discard", "judge", "answer")
_ENDINGS: Mapping[Event, State] = {
    "close": State.CLOSING,
    "decide": State.DECIDED,
    "end": State.ENDED,
}
TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.OPENING: {"offer": State.OPENING, "open": State.READY, **_ENDINGS},
    State.READY: {"offer": State.READY, "start": State.ESTIMATING, **_ENDINGS},
    State.ESTIMATING: {
        "offer": State.ESTIMATING,
        "estimate": State.JUDGING,
        "discard": State.READY,
        **_ENDINGS,
    },
    State.JUDGING: {"offer": State.JUDGING, "judge": State.HOLDING, **_ENDINGS},
    State.HOLDING: {"offer": State.HOLDING, "answer": State.READY, **_ENDINGS},
    # The judgement of a frame in flight is still taken if it comes before the verdict is released;
    # otherwise the frame gets DROPPED ``ended``.
    State.CLOSING: {
        **dict.fromkeys(_IN_FLIGHT, State.CLOSING),
        "decide": State.DECIDED,
        "end": State.ENDED,
    },
    # Frames are taken as before: until the verdict is stored nothing may show that there is one.
    State.DECIDED: {
        "offer": State.DECIDED,
        **dict.fromkeys(_IN_FLIGHT, State.DECIDED),
        "release": State.RELEASED,
        "end": State.ENDED,
    },
    State.RELEASED: {"end": State.ENDED},
    State.ENDED: {},
}
