"""Behaviour of a synthetic person over time: gestures, and an actor who follows prompts."""

import math
import random
from dataclasses import dataclass, fields, replace

from loadtest.synthetic.look import Look
from shared.codes import PROMPTS, Code

_REACTION = 0.25
"""Seconds from a prompt to the first motion."""
_FADE = 0.4
"""Seconds of the transition from the current motion to a new gesture."""

_SWAY = {"yaw": 1.5, "pitch": 1.0, "roll": 1.0, "distance": 0.01}
"""Amplitude of the motion of a person who holds still, in the units of ``Look``."""
_SWAY_HERTZ = (0.15, 0.6)


@dataclass(frozen=True)
class Gesture:
    """A motion from the neutral look to a peak and back, with the seconds of each part."""

    peak: Look
    out: float
    hold: float
    back: float

    @property
    def seconds(self) -> float:
        """Duration of the whole gesture."""
        return self.out + self.hold + self.back

    def look(self, elapsed: float) -> Look:
        """Return the look at a time after the start of the gesture; the neutral one outside it."""
        if not 0 < elapsed < self.seconds:
            return Look()
        if elapsed < self.out:
            return _between(Look(), self.peak, elapsed / self.out)
        if elapsed <= self.out + self.hold:
            return self.peak
        return _between(Look(), self.peak, (self.seconds - elapsed) / self.back)


STRAIGHT = Gesture(Look(), out=0, hold=0, back=0)
BLINK = Gesture(Look(left_eye_closed=1, right_eye_closed=1), out=0.2, hold=0.6, back=0.2)
TURN_LEFT = Gesture(Look(yaw=28), out=0.8, hold=0.6, back=0.8)
TURN_RIGHT = Gesture(Look(yaw=-28), out=0.8, hold=0.6, back=0.8)
CHIN_UP = Gesture(Look(pitch=28), out=0.8, hold=0.6, back=0.8)
CHIN_DOWN = Gesture(Look(pitch=-28), out=0.8, hold=0.6, back=0.8)

GESTURES: dict[int, Gesture] = {
    Code.OPEN_EYES: STRAIGHT,
    Code.CLOSE_EYES: BLINK,
    Code.LOOK_STRAIGHT_YAW: STRAIGHT,
    Code.ASK_TURN_RIGHT: TURN_RIGHT,
    Code.ASK_TURN_LEFT: TURN_LEFT,
    Code.LOOK_STRAIGHT_PITCH: STRAIGHT,
    Code.ASK_CHIN_UP: CHIN_UP,
    Code.ASK_CHIN_DOWN: CHIN_DOWN,
}


class Actor:
    """A person in front of the camera who sways a little and follows prompts.

    Every status repeats a prompt until the person has followed it. So a prompt is ignored while its
    gesture is in progress; if it is repeated afterwards, it is followed again. Equal seeds and
    calls give equal looks.
    """

    def __init__(self, seed: int = 0) -> None:
        chance = random.Random(seed)  # noqa: S311  # a natural motion, no secret
        self._sway = {
            name: (size, 2 * math.pi * chance.uniform(*_SWAY_HERTZ), chance.uniform(0, math.tau))
            for name, size in _SWAY.items()
        }
        self._code: int | None = None
        self._gesture = STRAIGHT
        self._since = -math.inf
        self._before = Look()
        self._shown = Look()
        self._now = -math.inf

    def ask(self, code: int) -> None:
        """Start the gesture of a prompt (codes 61 to 68) at the time of the last look.

        Other codes are ignored, so all codes of a frame's status may be passed.
        """
        busy = self._now < self._since + _REACTION + max(self._gesture.seconds, _FADE)
        if code not in PROMPTS or (code == self._code and busy):
            return
        self._code, self._gesture = code, GESTURES[code]
        self._since, self._before = self._now, self._shown

    def look(self, now: float) -> Look:
        """Return the look at a time in seconds, which must not decrease."""
        self._now = now
        if self._code is not None and self._since == -math.inf:
            self._since = now  # asked before the first look
        elapsed = now - self._since - _REACTION
        asked = self._gesture.look(elapsed)
        self._shown = _between(self._before, asked, elapsed / _FADE)
        return self._swaying(now)

    def _swaying(self, now: float) -> Look:
        moved = {
            name: getattr(self._shown, name) + size * math.sin(now * pace + phase)
            for name, (size, pace, phase) in self._sway.items()
        }
        return replace(self._shown, **moved)


def _between(first: Look, second: Look, share: float) -> Look:
    """Blend two looks with ease-in and ease-out; the share is clipped to 0..1."""
    share = min(max(share, 0.0), 1.0)
    eased = share * share * (3 - 2 * share)
    return Look(
        **{
            field.name: (1 - eased) * getattr(first, field.name)
            + eased * getattr(second, field.name)
            for field in fields(Look)
        }
    )
