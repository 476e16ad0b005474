"""Measures signs of a live person over the newest frames of a session."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from aggregator.plugins.background import background_motion
from aggregator.plugins.eyelids import eyelid_motion
from aggregator.plugins.faces import STRAIGHT_DEG
from shared.frame.checks import Rules, live_score
from shared.frame.estimation import Box, Estimate

INTERVAL_MS = 100
"""Minimum time between two counted frames: closer frames hardly add information. It also limits the
window's size with a fast camera."""
APART_SECONDS = 0.7
"""Minimum time between compared frames, at any frame rate: a hand can hold a photo still, and a
person the eyes, for shorter times. The error rates of docs/plugin-measurements.md are for this
distance."""
MAX_APART_SECONDS = 2.0
"""Maximum time between compared frames: later, light or people behind may have changed."""
BACKGROUND_QUANTILE = 0.8
"""Quantile of the compared pairs, because a hand moves only now and then."""
MIN_LOG_ODDS_SCORE = 1e-4
"""Limit of one frame's score in the mean of log odds, at both ends."""
PAIRS_OF_A_FRAME = 2
"""Compared pairs that one frame is in: at most one with an earlier frame and one with a later."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs in a window of frames; None if unknown.

    Attributes:
        score: joint liveness score, 0..1, from the mean of the log odds.
        eyes: standard deviation of the upper eyelids' place in widths of the eye, without the two
            largest motions.
        pose: root mean square of the standard deviations of yaw, pitch and roll in degrees, each
            without the farthest value.
        background: motion of the background in grey levels; also None without a fixed camera.
    """

    frames: int
    score: float | None
    eyes: float | None
    pose: float | None
    background: float | None
    sunglasses: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """The measurements of one frame."""

    at: float
    score: float | None
    eyelids: bytes | None
    angles: tuple[float, float, float] | None
    face: Box | None
    size: tuple[int, int]
    scene: bytes | None
    sunglasses: bool
    eyelid_motion: float | None
    background_motion: float | None


class SignsWindow:
    """Collects the frames of the last seconds, at least a number of them at any age.

    A frame with more moire than the rules allow counts with a score of 0.
    """

    def __init__(self, seconds: float, frames: int, rules: Rules) -> None:
        self._seconds = seconds
        self._frames = frames
        self._rules = rules
        self._seen: deque[_Seen] = deque()
        self._first_at: float | None = None
        self._paired_at = 0.0

    def add(self, at: float, estimate: Estimate) -> bool:
        """Add a frame that reached the liveness check; return False if it comes too soon."""
        if self._seen and _milliseconds(at - self._seen[-1].at) < INTERVAL_MS:
            return False
        if self._first_at is None:
            self._first_at = at
        self._seen.append(self._see(at, estimate))
        while len(self._seen) > self._frames and at - self._seen[0].at > self._seconds:
            self._seen.popleft()
        return True

    def seconds_at(self, now: float) -> float:
        """Return the seconds since the first added frame."""
        return 0.0 if self._first_at is None else now - self._first_at

    def signs(self) -> Signs:
        """Measure the window."""
        return Signs(
            frames=len(self._seen),
            score=_joint_score([one.score for one in self._seen if one.score is not None]),
            eyes=self._eyes(),
            pose=self._pose(),
            background=self._background(),
            sunglasses=any(one.sunglasses for one in self._seen),
        )

    def _see(self, at: float, estimate: Estimate) -> _Seen:
        pose = estimate.head_pose
        turned = pose is None or abs(pose.yaw) >= STRAIGHT_DEG
        eyelids = None if turned else estimate.eyelids
        return _Seen(
            at=at,
            score=self._score(estimate),
            eyelids=eyelids,
            angles=None if pose is None else (pose.yaw, pose.pitch, pose.roll),
            face=estimate.face,
            size=(estimate.width, estimate.height),
            scene=estimate.scene,
            sunglasses=estimate.glasses == "sunglasses",
            eyelid_motion=self._eyelid_motion(at, eyelids),
            background_motion=self._background_motion(at, estimate),
        )

    def _score(self, estimate: Estimate) -> float | None:
        measured = estimate.liveness
        return None if measured is None else live_score(measured, self._rules)

    def _earlier(self, at: float) -> Iterator[_Seen]:
        """Yield the frames that are old enough to be compared, the newest first."""
        for earlier in reversed(self._seen):
            apart = at - earlier.at
            if apart > MAX_APART_SECONDS:
                return
            if _milliseconds(apart) >= _milliseconds(APART_SECONDS):
                yield earlier

    def _eyelid_motion(self, at: float, eyelids: bytes | None) -> float | None:
        """Compare the eyelids with those of an earlier frame that was not compared before.

        Otherwise one bad frame before a burst of frames would be in as many pairs.
        """
        if eyelids is None:
            return None
        for earlier in self._earlier(at):
            if earlier.at <= self._paired_at:
                return None
            if earlier.eyelids is not None:
                self._paired_at = earlier.at
                return eyelid_motion(earlier.eyelids, eyelids)
        return None

    def _background_motion(self, at: float, estimate: Estimate) -> float | None:
        size = (estimate.width, estimate.height)
        if estimate.scene is None or estimate.face is None:
            return None
        for earlier in self._earlier(at):
            if earlier.scene is not None and earlier.face is not None and earlier.size == size:
                faces = (earlier.face, estimate.face)
                return background_motion(earlier.scene, estimate.scene, faces, size)
        return None

    def _eyes(self) -> float | None:
        if any(one.sunglasses for one in self._seen):
            return None
        motions = [one.eyelid_motion for one in self._seen]
        return _deviation_by_motions([motion for motion in motions if motion is not None])

    def _pose(self) -> float | None:
        angles = [one.angles for one in self._seen if one.angles is not None]
        spreads = [_robust_deviation(axis) for axis in zip(*angles, strict=True)]
        known = [spread for spread in spreads if spread is not None]
        return sqrt(sum(spread**2 for spread in known) / len(known)) if known else None

    def _background(self) -> float | None:
        motions = [one.background_motion for one in self._seen]
        known = [motion for motion in motions if motion is not None]
        return float(np.quantile(known, BACKGROUND_QUANTILE)) if known else None


def _milliseconds(seconds: float) -> int:
    """Round to milliseconds: a difference of Unix times is too coarse for exact comparisons."""
    return round(seconds * 1000)


def _joint_score(scores: Sequence[float]) -> float | None:
    """Return the score of the mean log odds."""
    if not scores:
        return None
    bounded = [min(1 - MIN_LOG_ODDS_SCORE, max(MIN_LOG_ODDS_SCORE, score)) for score in scores]
    odds = sum(log(score / (1 - score)) for score in bounded) / len(bounded)
    return 1 / (1 + exp(-odds))


def _deviation_by_motions(motions: Sequence[float]) -> float | None:
    """Return the standard deviation of a place, from its motions; None for fewer than four.

    The mean square of the difference of two values is twice their variance. The largest motions are
    left out: one bad frame must not make a photo look alive.
    """
    if len(motions) < 2 + PAIRS_OF_A_FRAME:
        return None
    squares = sorted(motion**2 for motion in motions)[:-PAIRS_OF_A_FRAME]
    return sqrt(sum(squares) / len(squares) / 2)


def _robust_deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation without the farthest value; None for fewer than four.

    One bad measurement, such as of a blurred frame, must not make a photo look alive.
    """
    if len(values) < 4:
        return None
    # Plain Python, since this runs for each frame: numpy takes longer for so few values.
    median = _median(values)
    farthest = max(range(len(values)), key=lambda index: abs(values[index] - median))
    kept = [value for index, value in enumerate(values) if index != farthest]
    mean = sum(kept) / len(kept)
    return sqrt(sum((value - mean) ** 2 for value in kept) / len(kept))


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
