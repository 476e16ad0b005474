"""A session of the gateway: every change of its state and of its data.

Other modules read a session and call its methods; none assigns an attribute of it. What a session
may do follows from its state: ``gateway.state.transitions`` lists the events of each state, and an
event that is not listed there raises.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway.state.pending_frame import FramePictures, PendingFrame
from gateway.state.record import Outlet, SessionRecord
from gateway.state.transitions import TRANSITIONS, Event, State
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Profile
from shared.wire.messages import Judgement, Opened
from shared.wire.protocol import CloseCode, Codec, Command, Drop, ProtocolError
from shared.wire.records import END, Judged

QUICK_LOOKS = 8
"""Quick looks in a row. The frame after them gets a full look, in case a quick one is always wrong
about a person."""
ANNOUNCED_BYTES = 60_000
"""A RESULT above this is announced. Below, it takes at most 7.5 s at 64 kbit/s, which no client
takes for silence."""


def require_resumable(reconnects: int, max_resumes: int, *, decided: bool) -> None:
    """Check that a session may be resumed once more, ``reconnects`` times with that.

    As many resumptions again are allowed once the verdict is released: a client on a bad line may
    have used up the first ones, and must still get RESULT.

    Raises:
        ProtocolError: it was resumed too often.
    """
    if reconnects > (2 * max_resumes if decided else max_resumes):
        raise ProtocolError("resumed too often", code="session.too-many-resumes")


@dataclass
class Session(SessionRecord):
    """One check of one person.

    At most one frame is in flight and one waits, the newest. The next frame starts after the
    judgement of the one before, which chooses its checks, and not before the answer to the one
    before may be sent: so at most one frame of a session is judged and not stored.
    """

    state: State = field(default=State.OPENING, init=False)

    def __post_init__(self) -> None:
        if self.profile is not None:
            self._move("open")

    def may(self, event: Event) -> bool:
        """Whether an event is possible in its state."""
        return event in TRANSITIONS[self.state]

    def _move(self, event: Event) -> None:
        following = TRANSITIONS[self.state].get(event)
        if following is None:
            raise RuntimeError(f"session {self.id} is {self.state.name}: {event} is impossible")
        self.state = following

    # Its opening

    def acknowledge(self, opened: Opened) -> None:
        """Record that the aggregator knows it, and how it is judged there."""
        self.known = True
        self.opened = replace(self.opened, plugins=opened.plugins)
        if self.profile is None:
            self.profile = opened.profile
        if self.may("open"):
            self._move("open")

    def restore(
        self, log: list[Judged], kept: BestShot | None, profile: Profile | None, elapsed: float
    ) -> None:
        """Continue a session that another process had; its client has not come back yet.

        The profile is None where it is not known yet. ``elapsed`` are the seconds since its
        opening, as the aggregator or the store measured them; it is at least as old as its log
        shows.
        """
        logged = log[-1].at - self.opened.at if log else 0.0
        self.started -= max(elapsed, logged, 0.0)
        self.known = True
        self.log, self.kept, self.profile = log, kept, profile
        self.seq = log[-1].seq if log else 0
        self.suspect = profile is Profile.ACTIVE
        self.left = self.clock.monotonic()
        if profile is not None:
            self._move("open")

    def mark_replayed(self) -> None:
        """Record that an aggregator gets it again, whose plugins may use every image."""
        self.known = self.missing = False
        self.asked = self.clock.monotonic()
        self.best_score = None

    def mark_missing(self) -> None:
        """Record that the aggregator lacks it, or frames of its log."""
        self.known, self.missing = False, True

    def restore_stored(self, seq: int, reconnects: int, result: str | None) -> None:
        """Add what the session store knows besides the log."""
        self.seq = max(self.seq, seq)
        self.reconnects = reconnects
        if result is None:
            self.settle(self.last_judged)
            self.known = False  # this cell's aggregator has never heard of it
        else:
            self.decide(result)
            self.release()
            self.settle(END)  # the gateway that stored the verdict announces it

    # Its frames

    def arrive(self, now: float) -> Drop | None:
        """Number a frame that arrives at a monotonic time; return why it is dropped, if it is."""
        self.seq += 1
        if self.closing or not self.may("offer"):
            return Drop.ENDED
        return None if self.bucket.admit(now) else Drop.RATE

    def offer(self, frame: PendingFrame) -> PendingFrame | None:
        """Let a frame wait; return the one that it replaces, which the caller answers."""
        self._move("offer")
        replaced, self.waiting = self.waiting, frame
        if replaced is not None:
            replaced.answered = True
        return replaced

    @property
    def dispatchable(self) -> bool:
        """Whether its waiting frame may start."""
        return self.waiting is not None and self.may("start")

    def start(self) -> tuple[PendingFrame, Profile]:
        """Take the waiting frame to the pool; return it with its checks."""
        frame, profile = self.waiting, self.profile
        assert frame is not None
        assert profile is not None
        self._move("start")
        self.waiting, self.active = None, frame
        return frame, profile

    def discard(self) -> bool:
        """Drop the frame in flight without a judgement. Return False if it was already answered."""
        self._move("discard")
        assert self.active is not None
        frame, self.active = self.active, None
        was_answered, frame.answered = frame.answered, True
        return not was_answered

    @property
    def expects_refusal(self) -> bool:
        """Whether a quick look at the next frame pays: the one before failed a check that it makes.

        It is not stored: another gateway begins with a full look.
        """
        return self.early_refusals % (QUICK_LOOKS + 1) > 0

    def may_use_image(self, score: float | None) -> bool:
        """Return whether the image of a frame that passed with this liveness score may be used."""
        return self.best_score is None or score is None or score > self.best_score

    def estimated(self, estimate: bytes) -> PendingFrame:
        """Take the estimate of the frame in flight, and return the frame to be judged."""
        self._move("estimate")
        frame = self.active
        assert frame is not None
        frame.estimate = estimate
        now = frame.asked = self.asked = self.clock.monotonic()
        frame.at = self.time_of(frame.received)
        frame.wall = self.clock.wall() - (now - frame.received)
        return frame

    def judged(self, judgement: Judgement) -> PendingFrame | None:
        """Take the judgement of the frame in flight, whose answer ``answer`` releases.

        Returns:
            The frame; None for a late judgement of another frame, which changes nothing.
        """
        frame = self.judging
        if frame is None or frame.seq != judgement.seq:
            return None
        assert frame.estimate is not None
        self._move("judge")
        frame.judged = self.clock.monotonic()
        entry = Judged(frame.seq, frame.at, frame.estimate, judgement.answers, frame.wall)
        self.log.append(entry._replace(prompted=self.prompted))
        if judgement.keep and frame.shot is not None:
            self.kept = frame.shot
        self.best_score = judgement.best_score
        self.early_refusals = self.early_refusals + 1 if frame.refused_early else 0
        self.active = None
        self.profile = judgement.profile
        if not frame.answered:  # else its deadline has passed, and the client got DROPPED
            self.unsent = (frame, judgement.status)
        return frame

    def count_codes(self, codes: Iterable[int]) -> None:
        """Count the codes of a judged frame."""
        self.codes.update(codes)

    def answer(self) -> tuple[PendingFrame, str] | None:
        """Release the answer to the last judged frame; return None if there is none to send."""
        if not self.may("answer"):
            return None
        self._move("answer")
        unsent, self.unsent = self.unsent, None
        if unsent is not None:
            unsent[0].answered = True
        self.prompted = self.now if unsent is not None else None
        return unsent

    def drop_overdue(self, now: float) -> list[PendingFrame]:
        """Return the frames past their deadline; the one in flight is still judged."""
        late = [frame for frame in self.unanswered if now > frame.deadline]
        for frame in late:
            frame.answered = True
        if self.waiting is not None and self.waiting.answered:
            self.waiting = None
        return late

    # Ending

    def close(self, reason: str) -> bool:
        """Start closing the session. Return False if it is already closing or decided."""
        if not self.may("close"):
            return False
        self._move("close")
        self.closing = reason
        self.asked = self.clock.monotonic()
        return True

    def decide(self, result: str, outcome: str = "") -> bool:
        """Take the final verdict, which ``release`` releases; return False if there was one."""
        if not self.may("decide"):
            return False
        self._move("decide")
        self.result, self.outcome = result, outcome
        return True

    def release(self) -> list[PendingFrame]:
        """Release the final verdict. Return the frames that will not be judged."""
        self._move("release")
        rest = self.unanswered
        for frame in rest:
            frame.answered = True
        self.active = self.waiting = None
        if self.outlet is None:
            self.left = self.left or self.clock.monotonic()
        return rest

    @property
    def released(self) -> bool:
        """Whether its client may have the final verdict."""
        return self.state is State.RELEASED

    def end(self) -> None:
        """Leave this gateway: nothing of it is sent or stored from here afterwards."""
        self._move("end")
        self.active = self.waiting = self.unsent = None

    # Client connection

    def attach(self, outlet: Outlet, max_resumes: int, address: str = "") -> None:
        """Continue on a connection; an older one is closed.

        Args:
            outlet: the connection.
            max_resumes: see ``require_resumable``.
            address: the client's, as ``limit_key`` returns it; empty if it has not changed.

        Raises:
            ProtocolError: it was resumed too often; its connection, if any, stays open.
        """
        resumes = self.left > 0 or self.outlet is not None
        reconnects = self.reconnects + 1 if resumes else self.reconnects
        require_resumable(reconnects, max_resumes, decided=self.released)
        self.reconnects = reconnects
        self.address = address or self.address
        if self.outlet is not None:
            self.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        self.outlet = outlet
        self.left = 0.0

    def detach(self, outlet: Outlet) -> None:
        """Record that a connection is gone; the session waits for its client to come back."""
        if self.outlet is outlet:
            self.outlet = None
            self.left = self.clock.monotonic()

    @property
    def result_bytes(self) -> int | None:
        """Size of RESULT; None while the client may not have it."""
        if self.result is None or not self.released:
            return None
        return len(self.result.encode())

    def deliver(self) -> None:
        """Send RESULT, if there is a client and a released verdict, and close with 1000.

        A large one is announced, since a browser sees no part of a message: it would take a RESULT
        that is still arriving for silence, resume, and get it from its beginning again. HEARTBEAT
        is a message that clients of LUNA PASS 1.x ignore.
        """
        size = self.result_bytes
        if self.outlet is None or self.result is None or size is None:
            return
        if size > ANNOUNCED_BYTES:
            self.outlet.send(Codec.encode(Command.HEARTBEAT, {"result-bytes": size}))
        self.outlet.end_with(self.result, CloseCode.VERDICT, "verdict given")

    # Bookkeeping for other modules

    def mark_asked(self, now: float) -> None:
        """Record the monotonic time at which the aggregator was asked again."""
        self.asked = now

    def mark_suspect(self) -> None:
        """Count this session as refused if its client leaves."""
        self.suspect = True

    def count_for(self, client: str) -> None:
        """Record that it counts as refused for the digest of an address."""
        self.counted_for.add(client)

    def retain(self, seq: int, pictures: FramePictures) -> None:
        """Retain the images of a judged frame until its side effects are done."""
        self.unsettled[seq] = pictures

    def settle(self, mark: int) -> list[FramePictures]:
        """Record that side effects are done up to a frame; returns the images that are dropped."""
        self.settled = max(self.settled, mark)
        return [self.unsettled.pop(seq) for seq in list(self.unsettled) if seq <= mark]

    def drop_pictures(self) -> list[FramePictures]:
        """Drop all retained images and return them."""
        dropped = list(self.unsettled.values())
        self.unsettled.clear()
        return dropped
