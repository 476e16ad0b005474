"""The relying party's JWK set: fetched with limits, cached for a while, and never guessed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from gateway.web.start_keys import MAX_BYTES, MIN_PAUSE_SECONDS, STALE_SECONDS, JwkSet, UnknownKey
from tests.support.clock import SettableClock


class Server:
    """Serves a JWK set; ``answer`` is its response."""

    def __init__(self) -> None:
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("a", "b")}
        self.answer = self.jwks("a")
        self.status = 200
        self.requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                self.send_response(outer.status)
                self.send_header("Location", "/other")
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def jwks(self, *names: str) -> bytes:
        keys = [
            {**ECAlgorithm.to_jwk(self.keys[name].public_key(), as_dict=True), "kid": name}
            for name in names
        ]
        return json.dumps({"keys": keys}).encode()

    def token(self, name: str) -> str:
        return jwt.encode({}, self.keys[name], algorithm="ES256", headers={"kid": name})


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    thread = threading.Thread(target=served.server.serve_forever)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


async def test_a_key_verifies_and_is_fetched_once(server: Server, clock: SettableClock) -> None:
    """Further tokens with the same key cause no request."""
    keys = JwkSet(server.url, clock=clock)
    for _ in range(3):
        key = await keys.key_for(server.token("a"))
        jwt.decode(server.token("a"), key, algorithms=["ES256"])
    assert server.requests == 1


async def test_a_rotated_key_is_fetched(server: Server, clock: SettableClock) -> None:
    """An unknown key leads to a fetch, but not more often than the pause allows."""
    keys = JwkSet(server.url, clock=clock)
    await keys.key_for(server.token("a"))
    server.answer = server.jwks("a", "b")
    with pytest.raises(UnknownKey):
        await keys.key_for(server.token("b"))
    clock.advance(MIN_PAUSE_SECONDS + 1)
    await keys.key_for(server.token("b"))
    assert server.requests == 2


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"{}"),
        (302, b"{}"),
        (200, b"no JSON"),
        (200, b"[]"),
        (200, b'{"keys": 1}'),
        (200, b'{"keys": [{"kty": "EC", "kid": "a"}]}'),
        (200, b'{"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}'),
        (200, b" " * (MAX_BYTES + 1)),
    ],
)
async def test_an_invalid_set_gives_no_key(
    server: Server,
    clock: SettableClock,
    caplog: pytest.LogCaptureFixture,
    status: int,
    answer: bytes,
) -> None:
    """These are errors, redirects, other contents and shared secrets.

    The log never has the query.
    """
    server.status, server.answer = status, answer
    url = f"{server.url}?token=hidden"
    with pytest.raises(UnknownKey):
        await JwkSet(url, clock=clock).key_for(server.token("a"))
    assert "cannot be fetched" in caplog.text
    assert "hidden" not in caplog.text


async def test_known_keys_are_used_for_an_hour_of_an_outage(
    server: Server, clock: SettableClock
) -> None:
    """A withdrawn key must become invalid, so they are not used forever."""
    keys = JwkSet(server.url, clock=clock)
    await keys.key_for(server.token("a"))
    server.status = 500
    clock.advance(STALE_SECONDS - 1)
    await keys.key_for(server.token("a"))
    clock.advance(2)
    with pytest.raises(UnknownKey):
        await keys.key_for(server.token("a"))


async def test_a_withdrawn_key_is_forgotten(server: Server, clock: SettableClock) -> None:
    """The set is fetched again every few minutes."""
    keys = JwkSet(server.url, clock=clock)
    await keys.key_for(server.token("a"))
    server.answer = server.jwks("b")
    clock.advance(301)
    with pytest.raises(UnknownKey):
        await keys.key_for(server.token("a"))


async def test_a_token_without_a_key_id_is_refused(server: Server, clock: SettableClock) -> None:
    """There is no default key."""
    token = jwt.encode({}, server.keys["a"], algorithm="ES256")
    with pytest.raises(jwt.InvalidTokenError):
        await JwkSet(server.url, clock=clock).key_for(token)
    assert server.requests == 0


@pytest.mark.parametrize(
    "odd", [{"kty": "new"}, {"kty": "OKP", "crv": "X25519", "x": "AA"}, {"kty": "EC", "x": 5}, 7]
)
async def test_a_key_of_an_unknown_kind_disables_no_other(
    server: Server, clock: SettableClock, odd: Any
) -> None:
    """A set may have keys for other purposes and of later kinds (RFC 7517, section 5)."""
    table = json.loads(server.jwks("a"))
    table["keys"].insert(0, {"kid": "odd", **odd} if isinstance(odd, dict) else odd)
    server.answer = json.dumps(table).encode()
    assert await JwkSet(server.url, clock=clock).key_for(server.token("a"))
