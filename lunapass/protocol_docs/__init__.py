"""The protocol described for machines: JSON Schema, AsyncAPI, OpenAPI, and the table of all codes.

``make docs-protocol`` writes them into docs/. They are made from the service's own enumerations and
from the types in this package; a test holds them against the messages of real sessions.
"""
