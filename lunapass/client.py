"""Python client of the service: asynchronous (``Client``) and synchronous (``SyncClient``)."""

from shared.client.asynchronous import Client
from shared.client.conversation import Answer, Verdict
from shared.client.errors import ClientError, NoVerdict, Refused
from shared.client.synchronous import SyncClient

__all__ = ["Answer", "Client", "ClientError", "NoVerdict", "Refused", "SyncClient", "Verdict"]
