"""Failover between inference servers: a server that failed is not preferred for a while."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from shared.config.service import OipSection
from shared.errors import EstimationError
from shared.process.clock import SYSTEM, Clock
from shared.text_files import read_text

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
NOT_FOUND = "StatusCode.NOT_FOUND"


class NotServed(EstimationError):
    """No server has the model."""


class Endpoint:
    """One server and its gRPC client, which connects on first use.

    Until the monotonic time ``rests_until`` other servers are preferred.
    """

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.address = address
        self.client = InferenceServerClient(urlsplit(address).netloc, creds=credentials)
        self.rests_until = 0.0


class Endpoints:
    """Calls servers in the configured order, recently failed ones last.

    Raises:
        ConfigError: the file of certificate authorities cannot be read.
    """

    def __init__(self, settings: OipSection, *, clock: Clock = SYSTEM) -> None:
        self._rest = settings.restSeconds
        self._monotonic = clock.monotonic
        self.timeout = settings.timeout
        self._endpoints = [
            Endpoint(address, _credentials(address, settings.rootCertificates))
            for address in settings.endpoints
        ]

    def call(self, request: Callable[[InferenceServerClient], Answer]) -> Answer:
        """Call one server after another until one answers; the request passes ``timeout`` on.

        Raises:
            NotServed: every server answered that it has no such model.
            EstimationError: no server answered.
        """
        errors: list[InferenceServerException] = []
        for endpoint in self._by_preference():
            try:
                answer = request(endpoint.client)
            except InferenceServerException as error:
                errors.append(error)
                if error.status() != NOT_FOUND:
                    self._record_failure(endpoint, error)
            else:
                endpoint.rests_until = 0.0
                return answer
        kind = NotServed if all(e.status() == NOT_FOUND for e in errors) else EstimationError
        raise kind("no inference server answered: " + "; ".join(e.message() for e in errors))

    def _by_preference(self) -> Sequence[Endpoint]:
        """All servers; those that failed recently are last, but still tried."""
        now = self._monotonic()
        return sorted(self._endpoints, key=lambda endpoint: endpoint.rests_until > now)

    def _record_failure(self, endpoint: Endpoint, error: InferenceServerException) -> None:
        if endpoint.rests_until <= self._monotonic():
            log.error("inference server %s failed: %s", endpoint.address, error.message())
        endpoint.rests_until = self._monotonic() + self._rest


def _credentials(address: str, root_certificates: str) -> grpc.ChannelCredentials | None:
    """Return the trusted authorities, from a PEM file or gRPC's own; None without TLS."""
    if not address.startswith("grpcs://"):
        return None
    if not root_certificates:
        return grpc.ssl_channel_credentials()
    place = "[OIP] rootCertificates"
    pem = read_text(Path(root_certificates), place, advice="give a PEM file")
    return grpc.ssl_channel_credentials(pem.encode())
