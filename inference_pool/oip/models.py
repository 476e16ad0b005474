"""The models of the ONNX backend, run by inference servers instead of this process."""

from __future__ import annotations

import logging
from pathlib import Path

from inference_pool.models.manifest import Kind, load_manifest
from inference_pool.models.store import read_verified
from inference_pool.oip.endpoints import Endpoints, NotServed
from inference_pool.oip.session import RemoteSession
from inference_pool.onnx.backend import OnnxBackend
from shared.config.service import Config
from shared.errors import EstimationError, ModelError

log = logging.getLogger(__name__)

GEOMETRY = "canonical"
"""The one role that is no network: its file is read here."""


class RemoteModels:
    """The reference set on inference servers, each model under its role's name.

    The servers' models are not verified by hash as files are: whoever runs the servers answers for
    them. A model that is required and not served is a fault at the start, never a check left out.

    Args:
        config: the configuration.

    Attributes:
        loaded: what the servers said of each model at the start, by its role; the hash of the
            file that is read here.

    Raises:
        ModelError: a required model is not served.
    """

    kind = Kind.REFERENCE

    def __init__(self, config: Config) -> None:
        self._settings = config.OIP
        self._directory = Path(config.MODELS.directory)
        self._endpoints = Endpoints(config.OIP)
        self._sessions: dict[str, RemoteSession] = {}
        self.loaded: dict[str, str] = {}
        for role, spec in load_manifest().reference.items():
            if role != GEOMETRY:
                self._look_up(role, required=spec.required)

    def _look_up(self, role: str, *, required: bool) -> None:
        name = self._settings.modelPrefix + role
        try:
            self._sessions[role] = RemoteSession(self._endpoints, name, self._settings.modelVersion)
        except EstimationError as error:
            # A server that is out of reach must not look like one that lacks an optional model.
            if required or not isinstance(error, NotServed):
                raise ModelError(f"model {role}: [OIP] has no {name!r}: {error}") from error
            log.warning("the inference servers have no %s; its measure is coarser or off", name)

    def available(self, role: str) -> bool:
        """Tell whether a role's model is served."""
        return role in self._sessions

    def path(self, role: str) -> Path:
        """Answer the path of a role that is no network, after verifying the file.

        Raises:
            ModelError: the file is missing or a different one.
        """
        spec = load_manifest().reference[role]
        path = self._directory / spec.file
        read_verified(path, spec.sha256, role)
        self.loaded[role] = spec.sha256
        return path

    def session(self, role: str) -> RemoteSession:
        """Answer a role's model.

        Raises:
            ModelError: it is not served.
        """
        if role not in self._sessions:
            raise ModelError(f"model {role}: [OIP] does not serve it")
        self.loaded[role] = self._sessions[role].identity
        return self._sessions[role]


def load(config: Config) -> OnnxBackend:
    """Make the ONNX backend over the models that the configured servers run.

    Raises:
        ModelError: the servers cannot be reached or lack a model.
    """
    return OnnxBackend(
        RemoteModels(config),
        eye_open=config.CHECKS.eyeOpen,
        use_glasses=config.MODELS.glasses,
        look_for_moire=config.CHECKS.moire > 0,
    )
