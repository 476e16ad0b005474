"""The client that programs import as ``lunapass.client``; the load harness uses it too."""

from shared.client.asynchronous import Client
from shared.client.conversation import Answer, Verdict
from shared.client.errors import ClientError, NoVerdict, Refused
from shared.client.synchronous import SyncClient

__all__ = ["Answer", "Client", "ClientError", "NoVerdict", "Refused", "SyncClient", "Verdict"]
