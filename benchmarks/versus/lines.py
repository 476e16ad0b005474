"""Clients of the contenders, each as lightweight as that of this service."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.driver import DrivenLine

HOST = "127.0.0.1"


class WebSocketLine:
    """A plain WebSocket that sends frames and receives statuses."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._busy = asyncio.Lock()

    async def judge(self, frame: bytes) -> bool:
        """Send a frame and wait for its status."""
        async with self._busy:
            await self._socket.send(frame)
            return "errors" in str(await self._socket.recv())


class HttpLine:
    """A persistent HTTP/1.1 connection that posts frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._busy = asyncio.Lock()

    async def judge(self, frame: bytes) -> bool:
        """Post a frame and wait for its status."""
        head = (
            f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(frame)}\r\n\r\n"
        )
        async with self._busy:
            self._writer.write(head.encode() + frame)
            answer = await self._reader.readuntil(b"\r\n\r\n")
            fields = dict(
                line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if b": " in line
            )
            body = await self._reader.readexactly(int(fields[b"content-length"]))
            return answer.startswith(b"HTTP/1.1 200") and b"errors" in body


async def websocket(port: int, stack: AsyncExitStack) -> DrivenLine:
    """Open a WebSocket."""
    opened = connect(f"ws://{HOST}:{port}/", compression=None, max_size=None)
    return WebSocketLine(await stack.enter_async_context(opened))


async def http(port: int, stack: AsyncExitStack) -> DrivenLine:
    """Open an HTTP connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    stack.callback(writer.close)
    return HttpLine(reader, writer)
