"""What the liveness networks say of live frames and of their simulated recaptures."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from evaluation.adapt.recapture import MEDIA, Scene, simulated
from evaluation.cache import content_hash
from evaluation.measuring import Frames
from evaluation.samples import LIVE, Sample
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.liveness import PassiveLiveness, mean_log_odds
from shared.errors import FrameError
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Box, Image, Profile, Stage

KINDS = (LIVE, *MEDIA)
NEEDED = (Stage.FACES, Stage.HEAD_POSE)
"""Checks that a live frame must pass: the networks are made for one face that looks ahead. The
other checks do not change what they see, and a set of small images would fail all of them."""
MAX_FRAMES = 60
"""Live frames used of one person: more hardly differ and only cost time."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Mean log odds of the networks for a frame, their embeddings, and ``live`` or the species."""

    subject: str
    kind: str
    log_odds: float
    features: NDArray[np.float64]
    simulated: bool = False


@dataclass(slots=True)
class Gathered:
    """Observations of live frames and recaptures; used frames by person, unused ones by reason.

    ``files`` has the content hashes of the files that were used.
    """

    observations: list[Observation] = field(default_factory=list)
    frames: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[Image, Observation]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)

    @property
    def digest(self) -> str:
        """SHA-256 of the files, in any order."""
        return hashlib.sha256("".join(sorted(self.files)).encode()).hexdigest()

    @property
    def recaptures(self) -> int:
        """Number of simulated attacks."""
        return sum(one.kind != LIVE for one in self.observations)

    def add(self, seen: Observation | None) -> None:
        """Add an observation; a frame in which no face is found is none."""
        if seen is not None:
            self.observations.append(seen)


class Observer:
    """Runs the liveness networks, with embeddings, on the faces of images."""

    def __init__(self, backend: OnnxBackend, networks: PassiveLiveness, rules: Rules) -> None:
        self._backend = backend
        self._networks = networks
        self._rules = rules
        self._estimator = Estimator(backend, rules, exhaustive=True)

    def usable_face(self, image: Image) -> Box | str:
        """Return the face of a live frame, or why the frame cannot be used."""
        estimate = self._estimator.estimate(image, Profile.PASSIVE)
        for stage in NEEDED:
            if codes := judge(stage, estimate, self._rules):
                return f"code {int(codes[0])}"
        if estimate.face is None or estimate.liveness is None:
            return "no liveness score"
        return estimate.face

    def observe(
        self, image: Image, subject: str, kind: str, *, simulated: bool = False
    ) -> Observation | None:
        """Observe the largest face of an image; None if there is none."""
        faces = self._backend.detect(image)
        if not faces:
            return None
        face = max(faces, key=lambda one: one.box.area)
        judgements = self._networks.judge(image, face.box)
        features = np.concatenate([one.embedding for one in judgements]).astype(np.float64)
        return Observation(subject, kind, mean_log_odds(judgements), features, simulated)


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """How much to simulate; with equal seeds, equal frames give equal recaptures.

    There are ``recaptures`` of each kind of each live frame, and the report shows some of
    ``examples`` people.
    """

    seed: int = 0
    recaptures: int = 3
    every: int = 1
    examples: int = 8


def gather(
    samples: Iterable[Sample], frames: Frames, observer: Observer, plan: SimulationPlan
) -> Gathered:
    """Observe live frames and recaptures of them; a sample's subject is the person."""
    found = Gathered()
    for sample in samples:
        room = MAX_FRAMES - found.frames[sample.subject]
        before = found.frames.total()
        try:
            for image in islice(frames(sample.path), 0, max(0, room) * plan.every, plan.every):
                _add_frame(found, image, sample.subject, observer, plan)
        except FrameError as error:
            found.unused[str(error)] += 1
        if found.frames.total() > before:
            found.files.add(content_hash(sample.path))
    return found


def _add_frame(
    found: Gathered, image: Image, subject: str, observer: Observer, plan: SimulationPlan
) -> None:
    """Observe a live frame and recaptures of it, if it can be used."""
    face = observer.usable_face(image)
    if isinstance(face, str):
        found.unused[face] += 1
        return
    number = found.frames.total()
    found.frames[subject] += 1
    found.add(observer.observe(image, subject, LIVE))
    scene = Scene.of(image, face)
    for place, kind in enumerate(KINDS):
        for copy in range(plan.recaptures):
            made = simulated(scene, kind, np.random.default_rng([plan.seed, number, place, copy]))
            seen = observer.observe(made, subject, kind, simulated=True)
            found.add(seen)
            is_first = copy == 0 and found.frames[subject] == 1
            if seen and is_first and len(found.frames) <= plan.examples:
                found.examples.append((made, seen))


def spread(samples: Sequence[Sample]) -> list[Sample]:
    """Choose at most ``MAX_FRAMES`` presentations of each person, evenly spread."""
    chosen: list[Sample] = []
    for subject in dict.fromkeys(one.subject for one in samples):
        own = [one for one in samples if one.subject == subject]
        step = max(1.0, len(own) / MAX_FRAMES)
        chosen += [own[int(place * step)] for place in range(min(len(own), MAX_FRAMES))]
    return chosen
