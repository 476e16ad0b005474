"""VirtualCameraChecker: evidence of a virtual camera or an injected stream, never a proof."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.camera_labels import LABELS
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import VirtualCameraArgs
from shared.config.service import Config
from shared.digests import short_digest
from shared.errors import ConfigError
from shared.frame.estimation import Estimate
from shared.text_files import read_text

DATA = "virtualCamera"

WEIGHTS = {
    "label": 0.9,
    "reused": 0.5,
    "repeated": 0.5,
    "frozen": 0.5,
    "tooFast": 0.4,
    "jump": 0.2,
    "resized": 0.4,
}
"""How much one occurrence of each evidence says, 0..1; occurrences add up as independent ones do:
what is left of the doubt is multiplied."""
MOST_OCCURRENCES = 3
"""Occurrences of one kind that count."""

MEMORY = 600
"""Frames in which a repetition is found: a minute at ten frames a second."""
FROZEN_SECONDS = 1.0
"""Time after which one and the same frame says that the stream stands still; each such time."""
FASTEST = 1.5
"""Different frames in a second, over the frame rate that the camera tells, that are too many."""
JUMP_SPEED = 1500.0
"""Degrees in a second that no head turns."""
SHORTEST_STEP = 0.05
"""Seconds between two frames, at least, for a speed to be told: frames may arrive in bunches."""

Print = tuple[object, ...]


class VirtualCameraChecker(Plugin):
    """Gathers evidence and ends the session once its score reaches the threshold.

    Evidence is what the client tells of its camera (its label; whoever injects a stream can lie),
    and what the estimates tell: measures that repeat to the last digit do not come from a sensor.
    A frame that repeats as a whole never comes here (``aggregator.copies``); what does is a stored
    face in a picture that differs elsewhere, such as under a clock.

    Args:
        args: the threshold.
        labels: parts of camera labels, in lower case, that are not allowed.
    """

    Args = VirtualCameraArgs

    def __init__(self, args: VirtualCameraArgs, labels: tuple[str, ...]) -> None:
        self._threshold = args.threshold
        self._labels = labels
        self._found: dict[str, int] = {}
        self._frame_rate = 0.0
        self._prints: deque[Print] = deque(maxlen=MEMORY)
        self._still_since: float | None = None
        self._arrivals: deque[float] = deque()
        self._before: tuple[float, Estimate] | None = None

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Read the labels."""
        labels = _labels(args)
        return lambda: cls(args, labels)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State the threshold, and a digest of the labels."""
        return {**numbers_of(args), "labels": short_digest(_labels(args))}

    def on_open(self, context: SessionContext) -> None:
        """Look at what the client tells of its camera."""
        camera = context.client.get("camera")
        if not isinstance(camera, dict):
            return
        label, rate = camera.get("label"), camera.get("frameRate")
        if isinstance(label, str) and any(part in label.casefold() for part in self._labels):
            self._note("label")
        if isinstance(rate, int | float) and not isinstance(rate, bool) and 1 <= rate <= 1000:
            self._frame_rate = float(rate)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Gather evidence from one frame."""
        self._look_for_repetition(context.now, frame.estimate)
        self._compare_with_before(context.now, frame.estimate)
        self._judge(context, frame)

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Gather evidence from a frame that another session has sent before."""
        self._note("reused")
        self._judge(context, frame)

    def _judge(self, context: SessionContext, frame: FrameJudgement) -> None:
        score = self.score()
        context.data[DATA] = {"score": round(score, 3), "evidence": dict(self._found)}
        if score >= self._threshold:
            frame.refuse(Code.VIRTUAL_CAMERA, end=True)

    def score(self) -> float:
        """Evidence so far, 0..1."""
        doubt = 1.0
        for kind, count in self._found.items():
            doubt *= (1.0 - WEIGHTS[kind]) ** count
        return 1.0 - doubt

    def _note(self, kind: str) -> None:
        self._found[kind] = min(self._found.get(kind, 0) + 1, MOST_OCCURRENCES)

    def _look_for_repetition(self, now: float, estimate: Estimate) -> None:
        """A face equal to the one before stands still; equal to an older one, the stream loops."""
        seen = _print(estimate)
        if seen is None:
            return
        if self._prints and self._prints[-1] == seen:
            self._still_since = now if self._still_since is None else self._still_since
            if now - self._still_since >= FROZEN_SECONDS:
                self._still_since = now
                self._note("frozen")
            return
        self._still_since = None
        if seen in self._prints:
            self._note("repeated")
        self._prints.append(seen)
        self._look_at_rate(now)

    def _look_at_rate(self, now: float) -> None:
        """More different frames in a second than the camera says that it makes."""
        self._arrivals.append(now)
        while now - self._arrivals[0] > 1.0:
            self._arrivals.popleft()
        if self._frame_rate and len(self._arrivals) > FASTEST * self._frame_rate + 1:
            self._note("tooFast")
            self._arrivals.clear()

    def _compare_with_before(self, now: float, estimate: Estimate) -> None:
        if estimate.width == 0:
            return  # not decoded
        before, self._before = self._before, (now, estimate)
        if before is None:
            return
        elapsed, last = now - before[0], before[1]
        if {estimate.width, estimate.height} != {last.width, last.height}:  # a turned phone may
            self._note("resized")
        pose, was = estimate.head_pose, last.head_pose
        if pose is None or was is None or elapsed < SHORTEST_STEP:
            return
        turned = max(abs(pose.yaw - was.yaw), abs(pose.pitch - was.pitch))
        if turned / elapsed > JUMP_SPEED:
            self._note("jump")


def _print(estimate: Estimate) -> Print | None:
    """What tells a picture's face from any other: its box and measures, to the last digit.

    Equal faces have equal measures, and the noise of a sensor makes no two faces equal.
    """
    if estimate.face is None or estimate.quality is None:
        return None
    return (estimate.width, estimate.height, estimate.face, estimate.quality)


def _labels(args: VirtualCameraArgs) -> tuple[str, ...]:
    return _read(args.labelsPath) if args.labelsPath else LABELS


def _read(path: str) -> tuple[str, ...]:
    """Read a file of labels: one a line, ``#`` begins a comment.

    Raises:
        ConfigError: it cannot be read, or is empty.
    """
    place = "[MIDDLEWARES.WS.VirtualCameraChecker] args.labelsPath"
    lines = read_text(Path(path), place).splitlines()
    labels = tuple(text.casefold() for line in lines if (text := line.partition("#")[0].strip()))
    if not labels:
        raise ConfigError(f"{place}: {path} has no label; give one a line, or leave the key out")
    return labels
