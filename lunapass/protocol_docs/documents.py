"""The documents: AsyncAPI 3.0 for the WebSocket, OpenAPI 3.1 for HTTP, JSON Schema for bodies."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec

from lunapass.protocol_docs import bodies, messages
from shared import __version__
from shared.wire.protocol import SUBPROTOCOL, CloseCode

Document = dict[str, Any]
TITLE = "Open face-liveness service"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
BODIES: dict[str, Any] = {
    "status": messages.StatusBody,
    "result": messages.ResultBody,
    "server-result": bodies.ServerResultBody,
    "token": bodies.TokenClaims,
    "client-message": messages.ClientMessage,
    "server-message": messages.ServerMessage,
}
CLOSE_CODES = {
    CloseCode.VERDICT: "the verdict is given",
    CloseCode.POLICY: "a message that is not allowed now, or too many of them",
    CloseCode.TOO_BIG: "a message over the limit",
    CloseCode.INTERNAL: "an internal error; connect again",
    CloseCode.RESTART: "the service restarts or cannot judge now; connect again",
    CloseCode.OVERLOADED: "the service is full, or too many sessions of one address",
    CloseCode.BAD_MESSAGE: "a text message that does not follow this protocol",
    CloseCode.CONNECT_TIMEOUT: "CONNECT did not arrive in time",
    CloseCode.IDLE: "no message for too long",
    CloseCode.SESSION_UNKNOWN: "no such session, or a wrong resume token",
    CloseCode.REPLACED: "the session was resumed on another connection",
    CloseCode.SLOW_CLIENT: "the client does not read its answers",
}
UPGRADE_REFUSALS = {
    "400": "not one Host header",
    "401": "BasicAuth requires a password",
    "403": "a page of another origin",
    "421": "a host name that is not the service's",
    "429": "too many handshakes or wrong passwords of this address",
    "503": "the service is full or shutting down",
}


def documents() -> dict[str, Document]:
    """Return all documents by file name."""
    schemas = {f"{name}.schema.json": _schema(name, kind) for name, kind in BODIES.items()}
    return {"asyncapi.json": _asyncapi(), "openapi.json": _openapi(), **schemas}


def written(document: Document) -> str:
    """Format a document as in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schema(name: str, kind: Any) -> Document:
    schema = msgspec.json.schema(kind)
    return {"$schema": DRAFT, "title": name, **_plain(schema)}


def _asyncapi() -> Document:
    client, server = get_args(messages.ClientMessage), get_args(messages.ServerMessage)
    _, components = msgspec.json.schema_components(
        [*client, *server], ref_template="#/components/schemas/{name}"
    )
    image = {
        "title": "image",
        "summary": "One frame, as a binary message.",
        "contentType": "image/jpeg",
        "payload": {"type": "string", "contentEncoding": "binary"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLE,
            "version": __version__,
            "description": f"Subprotocol {SUBPROTOCOL}. Every received frame gets one STATUS or"
            " DROPPED with its number, unless the connection ends with ERROR.",
        },
        "channels": {
            "session": {
                "address": "/ws",
                "messages": {
                    **{
                        n: {"$ref": f"#/components/messages/{n}"}
                        for n in map(_name, (*client, *server))
                    },
                    "image": {"$ref": "#/components/messages/image"},
                },
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
                "x-close-codes": {str(int(code)): text for code, text in CLOSE_CODES.items()},
            }
        },
        "operations": {
            "send": _operation("receive", [*map(_name, client), "image"]),
            "receive": _operation("send", map(_name, server)),
        },
        "components": {
            "messages": {
                "image": image,
                **{_name(kind): _described(kind) for kind in (*client, *server)},
            },
            "schemas": _plain(components),
        },
    }


def _operation(action: str, names: Iterable[str]) -> Document:
    """An operation, named from the client's side; ``action`` is the service's, as in AsyncAPI."""
    channel = "#/channels/session"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _name(kind: type[Any]) -> str:
    return kind.__name__


def _described(kind: type[Any]) -> Document:
    return {
        "name": kind.__struct_config__.tag,
        "summary": _plain(kind.__doc__ or ""),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{_name(kind)}"},
    }


def _openapi() -> Document:
    private = {"403": "neither from this machine nor with the password"}
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": __version__},
        "paths": {
            "/ws": _get(
                "Open the WebSocket; asyncapi.json describes it.",
                {"101": f"subprotocol {SUBPROTOCOL}", **UPGRADE_REFUSALS},
            ),
            "/healthz": _get("Whether the gateway is alive.", {"200": "it is"}),
            "/readyz": _get(
                "Whether sessions can be judged.",
                {"200": "they can", "503": "not now; the text says why"},
            ),
            "/.well-known/jwks.json": _get(
                "Public keys that verify tokens.",
                {"200": "a JWK set, empty for a shared secret"},
            ),
            "/statistics": _get("Counts since the start.", {"200": "a JSON object", **private}),
            "/metrics": _get("Metrics for Prometheus.", {"200": "the text format", **private}),
            "/sessions/{session}/result": _server_result(),
        },
        "components": {"securitySchemes": {"relyingParty": {"type": "http", "scheme": "bearer"}}},
    }


def _server_result() -> Document:
    """The path of ServerResult: a credential, a parameter and a JSON body for each answer."""
    answers = {
        "200": "decided",
        "202": "undecided; ask again after Retry-After seconds",
        "404": "unknown: it never began, or ended too long ago; or the plugin is off (plain text)",
        "503": "the session store does not answer; ask again after Retry-After seconds",
    }
    schema = {"$ref": "server-result.schema.json"}
    document = _get(
        "What became of a session, for the relying party (plugin ServerResult).",
        {**answers, "401": "another credential, whatever the session"},
    )
    for status in answers:
        document["get"]["responses"][status]["content"] = {"application/json": {"schema": schema}}
    return {
        "parameters": [
            {
                "name": "session",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            }
        ],
        "get": {**document["get"], "security": [{"relyingParty": []}]},
    }


def _get(summary: str, answers: Mapping[str, str]) -> Document:
    responses = {status: {"description": text} for status, text in answers.items()}
    return {"get": {"summary": summary, "responses": responses}}


def _plain(value: Any) -> Any:
    """Remove the double backquotes of docstrings from all texts."""
    match value:
        case str():
            return value.replace("``", "")
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value
