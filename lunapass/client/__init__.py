"""Client of the service in Python, asynchronous (``Client``) and synchronous (``SyncClient``)."""

from lunapass.client.asynchronous import Client
from lunapass.client.conversation import Answer, Verdict
from lunapass.client.errors import ClientError, NoVerdict, Refused
from lunapass.client.synchronous import SyncClient

__all__ = ["Answer", "Client", "ClientError", "NoVerdict", "Refused", "SyncClient", "Verdict"]
