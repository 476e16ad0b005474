"""A client that violates protocols: it writes bytes straight into a socket."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

from tests.support.service import Service

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


def upgrade(service: Service, *, path: str = "/ws", **headers: str) -> bytes:
    """Return the bytes of an upgrade request; underscores in header names stand for hyphens."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(opcode: int, data: bytes, *, final: bool = True, reserved: int = 0) -> bytes:
    """Return a masked WebSocket frame; the mask is zero, so the payload is unchanged."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    return head + bytes(4) + data


@dataclass
class Raw:
    """An open TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, service: Service) -> Raw:
        return cls(*await asyncio.open_connection("127.0.0.1", service.port))

    @classmethod
    async def upgraded(cls, service: Service, **headers: str) -> Raw:
        """Request the upgrade and read its answer's head."""
        raw = await cls.open(service)
        raw.writer.write(upgrade(service, **headers))
        raw.head = await raw.reader.readuntil(b"\r\n\r\n")
        return raw

    head: bytes = b""

    async def rest(self, seconds: float = 60) -> bytes:
        """Read everything until the server ends the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(-1), seconds)
        except ConnectionError:
            return b""
        finally:
            self.writer.close()

    async def flood(self, data: bytes, *, pause: float = 0.0, seconds: float = 60) -> bool:
        """Write the same bytes repeatedly, reading nothing, until cut off.

        Return False if never.
        """
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.writer.write(data)
                    await self.writer.drain()
                    await asyncio.sleep(pause)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.writer.close()

    async def drip(self, data: bytes, pause: float) -> int:
        """Write byte by byte to the end or until the server closes; return how many were sent."""
        try:
            for number in range(len(data)):
                if self.reader.at_eof() or self.reader.exception() is not None:
                    return number
                self.writer.write(data[number : number + 1])
                await self.writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            return number
        finally:
            self.writer.close()
        return len(data)
