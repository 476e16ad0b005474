"""Client of the service in Python, asynchronous (``Client``) and synchronous (``SyncClient``)."""

from shared.client import Answer, Client, ClientError, NoVerdict, Refused, SyncClient, Verdict

__all__ = ["Answer", "Client", "ClientError", "NoVerdict", "Refused", "SyncClient", "Verdict"]
