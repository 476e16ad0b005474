"""VirtualCameraChecker: evidence, not proof, of a virtual camera or an injected stream."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
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
"""Weight of one occurrence of each kind of evidence, 0..1. Occurrences count as independent: the
score is 1 minus the product of (1 - weight)."""
MAX_OCCURRENCES = 3
"""Occurrences of one kind that count."""

HISTORY_FRAMES = 600
"""Frames searched for a repetition: one minute at ten frames a second."""
FROZEN_SECONDS = 1.0
"""An unchanged face counts as evidence once per this time."""
MAX_RATE_RATIO = 1.5
"""Different frames a second, divided by the camera's frame rate, above which there are too many."""
MAX_HEAD_DEG_PER_SECOND = 1500.0
"""Faster than any head turns."""
MIN_STEP_SECONDS = 0.05
"""Minimum time between two frames to compute a speed: frames may arrive in bursts."""

Fingerprint = tuple[object, ...]


@dataclass
class _SeenFaces:
    """Faces seen so far, and since when the last one has not changed."""

    fingerprints: deque[Fingerprint] = field(default_factory=lambda: deque(maxlen=HISTORY_FRAMES))
    still_since: float | None = None


class VirtualCameraChecker(Plugin):
    """Collects evidence and ends the session once its score reaches the threshold.

    Evidence comes from the client's description of its camera (an attacker can forge it) and from
    the estimates: measurements equal to the last digit do not come from a sensor. A frame whose
    pixels all repeat is refused before (``aggregator.copies``); here a stored face is found in
    images that differ elsewhere, such as in a clock.

    Args:
        labels: forbidden parts of camera labels, in lower case.
    """

    Args = VirtualCameraArgs

    def __init__(self, args: VirtualCameraArgs, labels: tuple[str, ...]) -> None:
        self._threshold = args.threshold
        self._labels = labels
        self._found: dict[str, int] = {}
        self._frame_rate = 0.0
        self._seen = {quick: _SeenFaces() for quick in (False, True)}
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
        """Check the client's description of its camera."""
        camera = context.client.get("camera")
        if not isinstance(camera, dict):
            return
        label, rate = camera.get("label"), camera.get("frameRate")
        if isinstance(label, str) and any(part in label.casefold() for part in self._labels):
            self._record("label")
        if isinstance(rate, int | float) and not isinstance(rate, bool) and 1 <= rate <= 1000:
            self._frame_rate = float(rate)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Collect evidence from one frame."""
        self._check_repetition(context.now, frame.estimate)
        self._compare_with_previous(context.now, frame.estimate)
        self._judge(context, frame)

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Count a frame that another session sent before as evidence."""
        self._record("reused")
        self._judge(context, frame)

    def _judge(self, context: SessionContext, frame: FrameJudgement) -> None:
        score = self.score()
        context.data[DATA] = {"score": round(score, 3), "evidence": dict(self._found)}
        if score >= self._threshold:
            frame.refuse(Code.VIRTUAL_CAMERA, end=True)

    def score(self) -> float:
        """Return the score of the evidence so far, 0..1."""
        doubt = 1.0
        for kind, count in self._found.items():
            doubt *= (1.0 - WEIGHTS[kind]) ** count
        return 1.0 - doubt

    def _record(self, kind: str) -> None:
        self._found[kind] = min(self._found.get(kind, 0) + 1, MAX_OCCURRENCES)

    def _check_repetition(self, now: float, estimate: Estimate) -> None:
        """Detect a frozen stream (same face as before) and a loop (same face as earlier).

        A quick look measures the same image otherwise than a full one, so each is compared with its
        own kind.
        """
        fingerprint = _fingerprint(estimate)
        if fingerprint is None:
            return
        seen = self._seen[estimate.quick]
        if seen.fingerprints and seen.fingerprints[-1] == fingerprint:
            seen.still_since = now if seen.still_since is None else seen.still_since
            if now - seen.still_since >= FROZEN_SECONDS:
                seen.still_since = now
                self._record("frozen")
            return
        seen.still_since = None
        if fingerprint in seen.fingerprints:
            self._record("repeated")
        seen.fingerprints.append(fingerprint)
        self._check_rate(now)

    def _check_rate(self, now: float) -> None:
        """Detect more different frames a second than the camera's frame rate allows."""
        self._arrivals.append(now)
        while now - self._arrivals[0] > 1.0:
            self._arrivals.popleft()
        if self._frame_rate and len(self._arrivals) > MAX_RATE_RATIO * self._frame_rate + 1:
            self._record("tooFast")
            self._arrivals.clear()

    def _compare_with_previous(self, now: float, estimate: Estimate) -> None:
        if estimate.width == 0:
            return  # not decoded
        before, self._before = self._before, (now, estimate)
        if before is None:
            return
        elapsed, last = now - before[0], before[1]
        # As sets, because turning a phone swaps width and height.
        if {estimate.width, estimate.height} != {last.width, last.height}:
            self._record("resized")
        pose, last_pose = estimate.head_pose, last.head_pose
        if pose is None or last_pose is None or elapsed < MIN_STEP_SECONDS:
            return
        turned = max(abs(pose.yaw - last_pose.yaw), abs(pose.pitch - last_pose.pitch))
        if turned / elapsed > MAX_HEAD_DEG_PER_SECOND:
            self._record("jump")


def _fingerprint(estimate: Estimate) -> Fingerprint | None:
    """Return the face's box and measurements; sensor noise makes them differ in every frame."""
    if estimate.face is None or estimate.quality is None:
        return None
    return (estimate.width, estimate.height, estimate.face, estimate.quality)


def _labels(args: VirtualCameraArgs) -> tuple[str, ...]:
    return _read(args.labelsPath) if args.labelsPath else LABELS


def _read(path: str) -> tuple[str, ...]:
    """Read a file of labels, one per line; ``#`` starts a comment.

    Raises:
        ConfigError: it cannot be read, or has no label.
    """
    place = "[MIDDLEWARES.WS.VirtualCameraChecker] args.labelsPath"
    lines = read_text(Path(path), place).splitlines()
    labels = tuple(text.casefold() for line in lines if (text := line.partition("#")[0].strip()))
    if not labels:
        raise ConfigError(f"{place}: {path} has no label; put one on each line or remove the key")
    return labels
