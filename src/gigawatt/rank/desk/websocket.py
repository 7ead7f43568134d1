"""The server's side of a WebSocket (RFC 6455), as much as a terminal needs: whole messages, pings, a close."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Mapping
from typing import NamedTuple

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MESSAGE_BYTES_MAX = 1 << 20

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class ProtocolError(Exception):
    """The client does not keep to the protocol, or sends too much at once."""


class Message(NamedTuple):
    text: bool
    data: bytes


def handshake(headers: Mapping[str, str]) -> bytes:
    """The answer to an upgrade. Raises KeyError where it is none."""
    key = headers["sec-websocket-key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - the protocol's own
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class WebSocket:
    """One connection after its handshake. Messages of the client are whole, ours are never in parts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> Message | None:
        """The next message; None once the client has left. Raises ProtocolError."""
        parts = b""
        kind = 0
        while True:
            frame = await self._frame()
            if frame is None:
                return None
            final, opcode, data = frame
            if opcode == CLOSE:
                await self._write(CLOSE, data[:2])
                return None
            if opcode == PING:
                await self._write(PONG, data)
                continue
            if opcode == PONG:
                continue
            kind = kind or opcode
            parts += data
            if len(parts) > MESSAGE_BYTES_MAX:
                raise ProtocolError("a message is too large")
            if final:
                return Message(kind == TEXT, parts)

    async def send(self, data: bytes) -> None:
        """Returns once the client takes it."""
        await self._write(BINARY, data)

    async def send_text(self, text: str) -> None:
        await self._write(TEXT, text.encode())

    async def close(self) -> None:
        await self._write(CLOSE, struct.pack(">H", 1000))

    async def _frame(self) -> tuple[bool, int, bytes] | None:
        try:
            first, second = await self._reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
            if size > MESSAGE_BYTES_MAX or not second & 0x80:
                raise ProtocolError("a frame is too large, or has no mask")
            mask = await self._reader.readexactly(4)
            data = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return bool(first & 0x80), first & 0x0F, _unmasked(data, mask)

    async def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
        self._writer.write(head + data)
        await self._writer.drain()


def _unmasked(data: bytes, mask: bytes) -> bytes:
    """As one large number: a byte at a time is slow in Python."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
