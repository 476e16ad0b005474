"""The models of the ONNX backend, run on inference servers instead of in this process."""

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
"""The only role that is not a network: this process reads its file."""


class RemoteModels:
    """The reference set on inference servers, each model under the name of its role.

    Unlike files, models on servers are not verified by hash: the operator of the servers is
    responsible for them. If a required model is not served, the start fails; no check is skipped.

    Attributes:
        loaded: identity of each model by role: the digest of what the servers reported at the
            start, or the hash of the file that this process reads.

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
            if role != GEOMETRY and not spec.on_request:
                self._look_up(role, required=spec.required)

    def _look_up(self, role: str, *, required: bool) -> None:
        name = self._settings.modelPrefix + role
        try:
            self._sessions[role] = RemoteSession(self._endpoints, name, self._settings.modelVersion)
        except EstimationError as error:
            # An unreachable server must not pass for one that lacks an optional model.
            if required or not isinstance(error, NotServed):
                raise ModelError(f"model {role}: [OIP] has no {name!r}: {error}") from error
            log.warning(
                "the inference servers have no model %s; its measure is less exact or off", name
            )

    def available(self, role: str) -> bool:
        """Return whether a role's model is served."""
        return role in self._sessions

    def path(self, role: str) -> Path:
        """Return the path of a role that is not a network, after verifying the file.

        Raises:
            ModelError: the file is missing or differs from the manifest.
        """
        spec = load_manifest().reference[role]
        path = self._directory / spec.file
        read_verified(path, spec.sha256, role)
        self.loaded[role] = spec.sha256
        return path

    def session(self, role: str) -> RemoteSession:
        """Return the session of a role's model.

        Raises:
            ModelError: it is not served.
        """
        if role not in self._sessions:
            raise ModelError(f"model {role}: [OIP] does not serve it")
        self.loaded[role] = self._sessions[role].identity
        return self._sessions[role]


def load(config: Config) -> OnnxBackend:
    """Create the ONNX backend with the models on the configured servers.

    Raises:
        ModelError: the servers cannot be reached or lack a model.
    """
    return OnnxBackend(
        RemoteModels(config),
        eye_open=config.CHECKS.eyeOpen,
        use_glasses=config.MODELS.glasses,
        look_for_moire=config.CHECKS.moire > 0,
    )
