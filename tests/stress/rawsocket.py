"""A WebSocket client with no manners: it sends whatever bytes it is told to, and reads frames."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from typing import Self

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, reserved: int = 0, masked: bool = True, length: int | None = None
) -> bytes:
    """Return a frame; `length` is what its head says, true or not."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    flag = 0x80 if masked else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 65536:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


def handshake(host: str, token: str, path: str = "/ws/") -> bytes:
    """Return a good request for an upgrade."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {token}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class RawSocket:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, host: str) -> Self:
        """Connect to `host:port`, and say nothing."""
        name, port = host.rsplit(":", 1)
        return cls(*await asyncio.open_connection(name, int(port)))

    @classmethod
    async def open(cls, host: str, token: str) -> Self:
        """Connect, and shake hands."""
        raw = await cls.connect(host)
        raw.send(handshake(host, token))
        head = await raw.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.split(b"\r\n", 1)[0].decode())
        return raw

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self.writer.write(data)

    async def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; pings are answered. Raises `EOFError` at the end."""
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                [size] = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                [size] = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(size)
            if first & 0xF != PING:
                return first & 0xF, payload
            self.send(frame(PONG, payload))

    async def end(self) -> int | None:
        """Read until the server ends the connection; return the code of its closing frame, if it sent one."""
        code = None
        try:
            while True:
                opcode, payload = await self.read_frame()
                if opcode == CLOSE:
                    code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionError):
            return code

    def reset(self) -> None:
        """End the connection with a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """End the connection without a word."""
        self.writer.close()
