"""Sealed sessions can be opened unchanged, and only if a gateway has written them."""

from __future__ import annotations

import pytest

from gateway.limits.buckets import TokenBucket
from gateway.sessions.sealing import Sealer
from gateway.state.session import Session
from shared.errors import MessageError
from shared.frame.best_shot import BestShot, ImageSource
from shared.frame.estimation import Profile
from shared.wire.messages import Open
from shared.wire.records import Judged

ID = "0a" * 16
SEALER = Sealer(b"k" * 32)


def session(identity: str = ID, frames: int = 3) -> Session:
    opened = Open("", identity, 1.0, 7, bytes(32), client='{"a": 1}')
    made = Session(identity, opened, "198.51.100.1", TokenBucket(1, 1), 0.0)
    made.log = [Judged(seq, float(seq), b"e%d" % seq, (b"x", None)) for seq in range(1, frames + 1)]
    made.kept = BestShot(2, b"picture", ImageSource.of(b"sent", "png"))
    made.profile = Profile.ACTIVE
    made.seq = 9
    made.result = "RESULT"
    return made


def pieces(made: Session, sealer: Sealer = SEALER) -> tuple[bytes, bytes, list[bytes]]:
    log = [sealer.judged(made, index) for index in range(len(made.log))]
    return sealer.state(made), sealer.kept(made), log


def test_a_session_survives_a_round_trip() -> None:
    """It has everything that a replay and the client need."""
    made = session()
    stored = SEALER.open(ID, *pieces(made))
    assert stored.opened == made.opened
    assert stored.log == made.log
    assert stored.kept == made.kept
    assert (stored.profile, stored.seq, stored.result) == (Profile.ACTIVE, 9, "RESULT")


def test_a_session_without_frames_survives_a_round_trip() -> None:
    """A new session has no best shot, profile or result yet."""
    made = session(frames=0)
    made.kept = made.profile = made.result = None
    stored = SEALER.open(ID, *pieces(made))
    assert (stored.log, stored.kept, stored.profile, stored.result) == ([], None, None, None)


def _another_session(
    state: bytes, kept: bytes, log: list[bytes]
) -> tuple[bytes, bytes, list[bytes]]:
    return pieces(session("0b" * 16))


def _another_key(state: bytes, kept: bytes, log: list[bytes]) -> tuple[bytes, bytes, list[bytes]]:
    return pieces(session(), Sealer(b"x" * 32))


TAMPERED = {
    "a frame is missing": lambda state, kept, log: (state, kept, log[:-1]),
    "frames are swapped": lambda state, kept, log: (state, kept, [log[1], log[0], log[2]]),
    "a frame is doubled": lambda state, kept, log: (state, kept, [*log, log[-1]]),
    "another picture": lambda state, kept, log: (state, kept[:-1] + b"!", log),
    "a changed state": lambda state, kept, log: (state[:-1] + b"!", kept, log),
    "nothing": lambda state, kept, log: (b"", b"", []),
    "another session": _another_session,
    "another key": _another_key,
}


@pytest.mark.parametrize("how", TAMPERED)
def test_modified_pieces_are_refused(how: str) -> None:
    """Each piece is bound to its session, its name and its place."""
    with pytest.raises(MessageError):
        SEALER.open(ID, *TAMPERED[how](*pieces(session())))
