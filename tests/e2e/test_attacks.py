"""One test for each attack that docs/security.md names, each with a control that is served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lunapass_client import Client
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.raw import Raw, frame, upgrade
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

SESSIONS = 8
SETTINGS = f"""
[LIMITS]
connectTimeout = 3.0
idleSeconds = 4.0
headerBytes = 4096
messagesPerSecond = 50.0
queuedBytes = 100000
bestshotBytes = 40000
sessionsPerAddress = {SESSIONS}
resumeSeconds = 0.5
"""
CONNECT = frame(1, Codec.encode(Command.CONNECT).encode())
HEARTBEAT = Codec.encode(Command.HEARTBEAT)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SETTINGS, workers=1) as started:
        yield started


def undecided(service: Service) -> int:
    count: int = service.get("/statistics").json()["sessions"]["undecided"]
    return count


async def assert_served(service: Service) -> None:
    """Check that valid input is accepted during or after the attack.

    The sessions of earlier tests may take all places until they have ended.
    """
    async with asyncio.timeout(60):
        while await asyncio.to_thread(undecided, service) >= SESSIONS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 30))
        assert (await client.receive()).body["isOk"]


async def test_slow_upgrade(service: Service) -> None:
    """Slowloris: a request written byte by byte is cut off after ``connectTimeout``."""
    raw = await Raw.open(service)
    request = upgrade(service)
    sent, _ = await asyncio.gather(raw.drip(request, 0.05), assert_served(service))
    assert sent < len(request)


async def test_silent_socket(service: Service) -> None:
    """A socket that sends nothing at all is cut off as well."""
    raw = await Raw.open(service)
    assert b"101" not in await raw.rest()


async def test_slow_fragments(service: Service) -> None:
    """An endless message counts as no message: ``idleSeconds`` closes the connection."""
    raw = await Raw.upgraded(service)
    raw.writer.write(CONNECT + frame(2, b"\xff\xd8", final=False))
    endless = frame(0, b"x", final=False) * 200
    assert await raw.drip(endless, 0.01) < len(endless)


async def test_many_fragments(service: Service) -> None:
    """A message with more fragments than any image needs is refused with 1009."""
    raw = await Raw.upgraded(service)
    raw.writer.write(CONNECT + frame(2, b"", final=False) + frame(0, b"x", final=False) * 5000)
    assert int(CloseCode.TOO_BIG).to_bytes(2, "big") in await raw.rest()


async def test_compression_bomb(service: Service) -> None:
    """Compression is never negotiated, and a compressed frame ends the connection with 1002."""
    raw = await Raw.upgraded(service, Sec_WebSocket_Extensions="permessage-deflate")
    assert b"101" in raw.head
    assert b"permessage-deflate" not in raw.head
    raw.writer.write(frame(2, bytes(100), reserved=4))
    assert (1002).to_bytes(2, "big") in await raw.rest()


@pytest.mark.parametrize("headers", [{"X-Big": "a" * 8000}, {f"X-{n}": "a" for n in range(600)}])
async def test_header_flood(service: Service, headers: dict[str, str]) -> None:
    """Request heads over ``headerBytes`` are refused, with few long lines or many short ones."""
    raw = await Raw.open(service)
    with_flood = upgrade(service, **headers)
    for start in range(0, len(with_flood) - 4, 1000):
        raw.writer.write(with_flood[start : min(start + 1000, len(with_flood) - 4)])
        await asyncio.sleep(0.01)
    assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")
    await assert_served(service)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_cross_site_page(service: Service, origin: str) -> None:
    """A page of another origin cannot open a WebSocket in its visitor's browser."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(service.url, additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403
    own = service.url.replace("ws:", "http:").removesuffix("/ws")
    async with connect(service.url, additional_headers={"Origin": own}):
        pass


REBOUND = "evil.example"
"""A site's name that resolves to the service once the site's page is loaded."""


async def upgraded_under(host: str, service: Service, path: str, **headers: str) -> bytes:
    """Return the status of the answer to an upgrade request with this Host."""
    raw = await Raw.open(service)
    request = upgrade(service, path=path, **headers)
    raw.writer.write(request.replace(b"127.0.0.1:%d" % service.port, host.encode(), 1))
    status = (await raw.reader.readline()).split(b" ")[1]
    raw.writer.close()
    return status


@pytest.mark.parametrize("path", ["/statistics", "/metrics", "/status", "/", "/page.js"])
def test_dns_rebinding_reads_nothing(service: Service, path: str) -> None:
    """A site whose name resolves to this machine reads nothing; the answer names the setting."""
    for host in (REBOUND, f"{REBOUND}:{service.port}", f"127.0.0.1.{REBOUND}", "0.0.0.0"):
        refused = service.get(path, host=host)
        assert refused.status_code == 421
        assert "[LUNA_PASS] hosts" in refused.text
    for host in ("localhost", f"LOCALHOST.:{service.port}", "127.0.0.1:1", "[::1]"):
        assert service.get(path, host=host).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": f"http://{REBOUND}"}], ids=str)
async def test_dns_rebinding_opens_nothing(service: Service, headers: dict[str, str]) -> None:
    """The page of such a site has the same host as the service, and is refused nevertheless."""
    assert await upgraded_under(REBOUND, service, "/ws", **headers) == b"421"
    await assert_served(service)


@pytest.mark.parametrize("lines", ["", "Host: \r\n", "Host: localhost\r\nHost: localhost\r\n"])
async def test_not_one_host(service: Service, lines: str) -> None:
    """A request without a Host, or with two, is answered with 400."""
    raw = await Raw.open(service)
    raw.writer.write(f"GET /statistics HTTP/1.1\r\n{lines}\r\n".encode())
    assert (await raw.rest()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/healthz", 200), ("/x", 404), ("/ws", 405)]
)
async def test_the_answer_to_head_has_no_body(service: Service, path: str, status: int) -> None:
    """A proxy that reuses the connection would take a body for the start of the next answer."""
    raw = await Raw.open(service)
    raw.writer.write(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await raw.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Length: 0" not in head
    assert body == b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_reported_to_any_host(service: Service, path: str) -> None:
    """Health checkers of load balancers send unusual hosts, or none."""
    assert service.get(path, host=REBOUND).status_code == 200
    raw = await Raw.open(service)
    raw.writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert (await raw.rest()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/ws/", "localhost", b"101"),
        ("/ws/?session=00", "localhost", b"101"),
        ("http://localhost/ws", REBOUND, b"101"),
        (f"http://{REBOUND}/ws", "localhost", b"421"),
        ("/ws/ws", "localhost", b"404"),
    ],
)
async def test_other_forms_of_the_upgrade_request(
    service: Service, path: str, host: str, status: bytes
) -> None:
    """A trailing slash, and the absolute form of the request line, whose host takes precedence."""
    assert await upgraded_under(host, service, path) == status


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/kiosk/../../../etc/passwd",
        "/kiosk/%2e%2e/%2e%2e/setup.cfg",
        "/kiosk/..\\..\\setup.cfg",
        "/\x00etc/passwd",
        "/etc/passwd",
    ],
)
async def test_path_traversal(service: Service, path: str) -> None:
    """No path leads out of the served folders."""
    raw = await Raw.open(service)
    raw.writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
    answer = await raw.rest()
    assert b"root:" not in answer
    assert b"metadata" not in answer
    assert answer.split(b" ")[1] in (b"404", b"400", b"403")


async def test_log_injection(service: Service) -> None:
    """Whatever a client sends, each line of the log remains one JSON object of the service."""
    forged = '\n{"level": "info", "message": "forged"}\r\n\x1b[31m\u2028forged'
    for headers in ({"client": {"name": forged}}, {"session-id": forged, "resume-token": forged}):
        async with connect(service.url) as socket:
            # Not by our codec, which writes no half of a surrogate pair.
            await socket.send(json.dumps({"command": "CONNECT", "headers": headers}))
            with contextlib.suppress(ConnectionClosed):
                await socket.recv()
                await socket.send(forged)
    await assert_served(service)
    lines = (service.directory / "log").read_text().splitlines()
    ours = [json.loads(line) for line in lines if line.startswith("{")]
    assert ours
    assert all("forged" not in str(line.get("message", "")).split()[:1] for line in ours)
    assert not [line for line in lines if line.startswith('{"level"')]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("message", [HEARTBEAT, b"no picture"], ids=["texts", "pictures"])
async def test_message_flood(service: Service, message: str | bytes) -> None:
    """More messages than ``messagesPerSecond`` end only this connection, with 1008."""
    began = time.monotonic()
    async with Client(service.url) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(1000):
                await client.socket.send(message)
        allowed = 100 + 50 * (time.monotonic() - began)
        answers = [answer async for answer in client.answers()]
        assert client.close_code == CloseCode.POLICY
    assert len(answers) <= allowed + 2
    assert answers[-1].body["code"] == "message.too-many"
    await assert_served(service)


async def test_ping_flood_unread(service: Service) -> None:
    """``queuedBytes`` limits the pongs that a client does not read; then it is cut off."""
    raw = await Raw.upgraded(service)
    assert await raw.flood(frame(9, bytes(125)) * 500)
    await assert_served(service)


async def test_invalid_headers_of_connect(service: Service) -> None:
    """Numbers beyond any float, wrong types and huge values are answered and never crash a role."""
    odd: list[dict[str, object]] = [
        {"heartbeat-interval": 10**4000},
        {"heartbeat-interval": -1},
        {"heartbeat-interval": [3]},
        {"client": []},
        {"client": {"x": "y" * 10_000}},
        {"session-id": 7},
        {"session-id": "٣" * 32, "resume-token": "\ud800"},
        {"session-id": {}, "resume-token": []},
    ]
    for headers in odd:
        async with connect(service.url) as socket:
            # Not by our codec, which writes no half of a surrogate pair.
            await socket.send(json.dumps({"command": "CONNECT", "headers": headers}))
            answer = json.loads(await socket.recv())
            assert answer["command"] in ("CONNECTED", "ERROR")
            if answer["command"] == "ERROR":
                assert answer["body"]["code"] in ("session.unknown", "message.malformed")


async def test_too_many_sessions_of_one_address(service: Service) -> None:
    """``sessionsPerAddress`` holds, and slots are released."""
    clients = [Client(service.url) for _ in range(12)]
    await asyncio.gather(*(client.__aenter__() for client in clients))
    codes = [c.connected.body["code"] for c in clients if c.connected and c.connected.body]
    assert "session.too-many" in codes
    for client in clients:
        await client.socket.close()
    for _ in range(100):
        await asyncio.sleep(0.2)
        async with Client(service.url) as again:
            assert again.connected is not None
            if again.connected.command is Command.CONNECTED:
                break
    else:
        pytest.fail("no slot was released")


def test_permissions_of_sockets(service: Service) -> None:
    """Only the service's user can get the frames or connect to the roles."""
    run = service.directory / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    for name in ("workers.sock", "aggregator.sock", "slab.sock"):
        assert stat.S_IMODE((run / name).stat().st_mode) == 0o600, name


def test_no_attack_causes_an_unexpected_error(service: Service) -> None:
    """The log of the tests above has no unhandled exception."""
    log = Path(service.directory / "log").read_text()
    assert "Traceback" not in log
