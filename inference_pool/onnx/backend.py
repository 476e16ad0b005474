"""The ONNX backend: one estimator per measure, all using one set of models."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from inference_pool.models.manifest import Kind
from inference_pool.models.session import ModelSession
from inference_pool.models.store import ModelStore
from inference_pool.onnx import moire
from inference_pool.onnx.ags import suitability
from inference_pool.onnx.blazeface import BlazeFace
from inference_pool.onnx.descriptor import MobileFaceNet
from inference_pool.onnx.detector import YuNet
from inference_pool.onnx.eyes import SURELY_OPEN, EyeOpenness
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.glasses import GlassesKind
from inference_pool.onnx.liveness import THIRD, PassiveLiveness, liveness_models
from inference_pool.onnx.mesh import FaceMesh, eye_centres
from inference_pool.onnx.mouth import MouthState
from inference_pool.onnx.pose import PoseSolver
from inference_pool.onnx.quality import FaceQuality
from inference_pool.onnx.site_head import SiteHead, SiteHeadFile
from shared.config.service import ChecksSection, Config
from shared.digests import short_digest
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import (
    Box,
    Capabilities,
    Estimate,
    EyeCentres,
    Eyes,
    Face,
    Glasses,
    HeadPose,
    Image,
    Liveness,
    Mouth,
    Quality,
)

MIN_RELATIVE_WIDTH = 0.2
"""A face narrower than this share of the widest face is background and is ignored."""


class Models(Protocol):
    """Source of the networks: files that this process runs, or inference servers."""

    @property
    def kind(self) -> Kind:
        """Which of the manifest's model sets this is."""

    @property
    def loaded(self) -> Mapping[str, str]:
        """Identity of each model requested so far, by role."""

    def available(self, role: str) -> bool:
        """Return whether the set has this role."""

    def path(self, role: str) -> Path:
        """Return the path of a role's verified file."""

    def session(self, role: str) -> ModelSession:
        """Return the session that runs a role's network."""


class OnnxBackend:
    """Implements ``shared.frame.estimation.Backend`` on one thread with open models.

    If wanted, the liveness stage also measures moire, the sign of a screen. A site head corrects
    the liveness score; ``models`` must then output embeddings.

    Raises:
        ModelError: a required model is missing or does not fit its role, or the site head was
            trained with other models.
    """

    def __init__(
        self,
        models: Models,
        *,
        eye_open: float = 0.2,
        use_glasses: bool = True,
        look_for_moire: bool = False,
        head_file: SiteHeadFile | None = None,
        third_liveness: bool = False,
    ) -> None:
        is_fallback = models.kind is Kind.FALLBACK
        detector = BlazeFace if is_fallback else YuNet
        self._detector = detector(models.session("detector"))
        self._quick_detector = None if is_fallback else YuNet.quick(models.session("detector"))
        self._mesh = FaceMesh(models.session("mesh"))
        self._pose = PoseSolver(models.path("canonical"))
        self._quality = FaceQuality()
        sure = inf if is_fallback else SURELY_OPEN  # BlazeFace's boxes make the mesh less exact
        self._eyes = EyeOpenness(_optional(models, "iris"), eye_open, surely_open=sure)
        self._mouth = MouthState()
        self._glasses = GlassesKind(_optional(models, "glasses") if use_glasses else None)
        self._look_for_moire = look_for_moire
        self._liveness = passive_liveness(models, head_file, third=third_liveness)
        describes = models.available("descriptor")
        self._descriptor = MobileFaceNet(models.session("descriptor")) if describes else None
        self._capabilities = Capabilities(
            passive_liveness=self._liveness is not None,
            needs_actions=is_fallback,
            descriptor=self._descriptor is not None,
            quick_look=self._quick_detector is not None,
            name=f"onnx, {models.kind} models",
            models=short_digest(
                {**models.loaded, **({"site_head": head_file.digest} if head_file else {})}
            ),
        )

    @classmethod
    def from_config(cls, config: Config) -> OnnxBackend:
        """Load the configured models.

        Raises:
            ModelError: a required model is missing or differs from the manifest.
        """
        section = config.MODELS
        head_file = SiteHeadFile.read(Path(section.siteHead)) if section.siteHead else None
        models = ModelStore(
            section.directory,
            provider=section.provider,
            variants=section.rewritePrelu,
            embeddings=head_file is not None,
        )
        return cls(
            models,
            eye_open=config.CHECKS.eyeOpen,
            use_glasses=section.glasses,
            look_for_moire=config.CHECKS.moire > 0,
            head_file=head_file,
            third_liveness=section.thirdLiveness,
        )

    def with_checks(self, checks: ChecksSection) -> OnnxBackend:
        """Return a backend with the same networks and new ``[CHECKS]`` settings."""
        twin = copy.copy(self)
        twin._eyes = self._eyes.with_threshold(checks.eyeOpen)
        twin._look_for_moire = checks.moire > 0
        return twin

    @property
    def capabilities(self) -> Capabilities:
        """What the loaded models can measure."""
        return self._capabilities

    def detect(self, image: Image) -> list[Face]:
        """Find the faces; ignore those far smaller than the widest one."""
        return _without_background(self._detector.detect(image))

    def look_quickly(self, image: Image) -> list[Face]:
        """Find faces in a smaller copy of the image; ignore those far smaller than the widest one.

        Raises:
            EstimationError: the detector takes images of one size only.
        """
        if self._quick_detector is None:
            raise EstimationError("the detector takes images of one size only")
        faces = self._quick_detector.detect(image)
        for face in faces:
            face.hasty = True
        return _without_background(faces)

    def quality(self, image: Image, face: Face) -> Quality:
        """Measure sharpness and light in the face area."""
        return self._quality.measure(image, face.box)

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        """Measure the rotation of the face mesh."""
        return self._pose.pose(self._mesh.fit(image, _detected(face)))

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        """Measure both eyes; ``careful`` runs the contour model on each."""
        return self._eyes.measure(image, self._mesh.fit(image, _detected(face)), careful=careful)

    def eye_centres(self, image: Image, face: Face) -> EyeCentres:
        """Return the middle of the corners of each eye."""
        return eye_centres(self._mesh.fit(image, _detected(face)))

    def mouth(self, image: Image, face: Face) -> Mouth:
        """Measure the mouth."""
        return self._mouth.measure(image, self._mesh.fit(image, _detected(face)))

    def glasses(self, image: Image, face: Face) -> Glasses:
        """Classify the glasses."""
        return self._glasses.classify(image, self._mesh.fit(image, _detected(face)))

    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        """Compute the suitability for face comparison from the earlier measures."""
        return suitability(so_far)

    def liveness(self, image: Image, face: Face) -> Liveness:
        """Measure passive liveness.

        Raises:
            EstimationError: the model set has no liveness models.
        """
        if self._liveness is None:
            raise EstimationError("no liveness models are loaded")
        measured = self._liveness.measure(image, face.box)
        if self._look_for_moire:
            return replace(measured, moire=moire.peak(image, face.box))
        return measured

    def descriptor(self, image: Image, face: Face) -> bytes:
        """Compute the face descriptor.

        Raises:
            EstimationError: no descriptor model is loaded, or the key points are degenerate.
        """
        if self._descriptor is None:
            raise EstimationError("no descriptor model is loaded")
        return self._descriptor.describe(image, _detected(face).points)


def passive_liveness(
    models: Models, head_file: SiteHeadFile | None = None, *, third: bool = False
) -> PassiveLiveness | None:
    """Load the liveness networks of the set; None if one of its own is missing.

    Raises:
        ModelError: the site head was trained with other networks, or there are none; or the third
            network is missing.
    """
    networks = liveness_models(models.kind, third=third)
    if third and not models.available(THIRD.role):
        raise ModelError(
            "MODELS.thirdLiveness: the model is missing; run 'lunapass models pull --with facenox',"
            " or turn it off"
        )
    if not all(models.available(network.role) for network in networks):
        if head_file is not None:
            raise ModelError(
                f"MODELS.siteHead: the {models.kind} set has no liveness models to correct;"
                " run 'lunapass models pull'"
            )
        return None
    sessions = [models.session(network.role) for network in networks]
    loaded = {network.role: models.loaded[network.role] for network in networks}
    if head_file is None:
        return PassiveLiveness(networks, sessions)
    liveness = PassiveLiveness(networks, sessions, SiteHead(head_file, loaded))
    try:  # at the start, because only a run shows how many features the networks have
        liveness.measure(np.zeros((80, 80, 3), np.uint8), Box(20, 20, 40, 40))
    except EstimationError as error:
        raise ModelError(f"MODELS.siteHead: {error}") from error
    return liveness


def _without_background(faces: list[DetectedFace]) -> list[Face]:
    widest = max((face.box.width for face in faces), default=0)
    return [face for face in faces if face.box.width >= MIN_RELATIVE_WIDTH * widest]


def _detected(face: Face) -> DetectedFace:
    """Narrow a face to the type that ``OnnxBackend.detect`` returns."""
    return cast(DetectedFace, face)


def _optional(models: Models, role: str) -> ModelSession | None:
    return models.session(role) if models.available(role) else None
