"""Client of the service in Python, asynchronous (``Client``) and synchronous (``SyncClient``)."""

from lunapass.client.asynchronous import Client
from lunapass.client.conversation import Answer, NoVerdict, Refused, Verdict
from lunapass.client.synchronous import SyncClient

__all__ = ["Answer", "Client", "NoVerdict", "Refused", "SyncClient", "Verdict"]
