"""The load generator: many WebSockets in one process, cheap enough not to be what is measured.

It writes frames that were encoded beforehand and looks into those that come without decoding them. It is a client
for measurements alone: no extensions, no fragments, a mask of zeros.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import jwt
import msgspec

SENT_AT = re.compile(rb'"sent_at":\s*([0-9.]+)')
PLACE = re.compile(rb'"epoch":"([^"]+)","seq":(\d+)')
NOTIFICATION = b"match_proposal"
CONNECTS_AT_ONCE = 20
WINDOW = 9
"""Positions before each probe, whose answer says that the server has handled all of them."""

SETUP_TIMEOUT = 60.0


class Dialect(msgspec.Struct, frozen=True):
    """What clients of a contender say and hear: Socket.IO wraps its frames, and ours are ready with their state."""

    path: str = "/ws/"
    hello: bytes = b""
    ready: bytes = b""
    """What the frame contains after which a connection is complete; empty: complete with the handshake."""

    position: bytes = b'{"type":"location_update","data":{"latitude":-6.2088,"longitude":106.8456,"accuracy":5}}'
    probe: bytes = b'{"type":"probe","data":{}}'
    answer: bytes = b'"error"'
    ping: bytes = b""
    pong: bytes = b""


SOCKET_IO = Dialect(
    path="/socket.io/?EIO=4&transport=websocket",
    hello=b"40",
    ready=b"40{",
    position=b'42["location_update",{"latitude":-6.2088,"longitude":106.8456,"accuracy":5}]',
    probe=b'42["probe",{}]',
    ping=b"2",
    pong=b"3",
)


class Person(msgspec.Struct, frozen=True):
    """A user of a benchmark; drivers have odd numbers."""

    number: int

    @property
    def id(self) -> UUID:
        """The user's id."""
        return UUID(int=self.number)

    @property
    def role(self) -> str:
        """The user's role."""
        return "driver" if self.number % 2 else "passenger"

    def token(self, secret: str) -> str:
        """Return an access token."""
        claims = {"user_id": str(self.id), "role": self.role, "exp": int(time.time()) + 36_000, "token_type": "access"}
        return jwt.encode(claims, secret, algorithm="HS256")


class Socket(asyncio.Protocol):
    """One connection. Every text frame is given to `on_text`."""

    def __init__(self, on_text: Callable[[Socket, bytes], None]) -> None:
        self.on_text = on_text
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self.sent_at = 0.0
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits for it."""
        for waited in (self.is_open, self.is_ready):
            if not waited.done():
                waited.set_exception(ConnectionError("the server closed the connection"))
                waited.exception()  # somebody may not wait for it

    def data_received(self, data: bytes) -> None:
        """Read the handshake, then frames."""
        self._buffer += data
        if not self.is_open.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:20]:
                self.is_open.set_exception(ConnectionError(head[:200].decode("latin-1")))
                return
            self._buffer = rest
            self.is_open.set_result(None)
        self._read_frames()

    def send(self, *payloads: bytes) -> None:
        """Send text frames by one write."""
        self.transport.write(b"".join(masked(payload) for payload in payloads))

    def close(self) -> None:
        """Go away without a word."""
        self.transport.abort()

    def _read_frames(self) -> None:
        buffer, start = self._buffer, 0
        while len(buffer) - start >= 2:
            length, head = buffer[start + 1], 2
            if length >= 126:
                head = 4 if length == 126 else 10
                if len(buffer) - start < head:
                    break
                length = int.from_bytes(buffer[start + 2 : start + head], "big")
            end = start + head + length
            if len(buffer) < end:
                break
            payload = bytes(buffer[start + head : end])
            opcode = buffer[start] & 15
            start = end
            if opcode == 1:
                self.on_text(self, payload)
            elif opcode == 9:
                self.transport.write(masked(payload, opcode=10))
        del buffer[:start]


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """Return a client's frame."""
    head = bytes([128 | opcode])
    if len(payload) < 126:
        return head + bytes([128 | len(payload)]) + b"\0\0\0\0" + payload
    return head + bytes([254]) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


class Crowd:
    """The sockets of many people at one server."""

    def __init__(
        self,
        port: int,
        dialect: Dialect,
        people: Sequence[Person],
        secret: str,
        hear: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        """`hear` gets each text first, and returns whether it was for it."""
        self._hear = hear
        self._port, self._dialect, self._secret = port, dialect, secret
        self.people = people
        self.sockets: dict[UUID, Socket] = {}
        self.latencies: list[float] = []
        self.heard = 0
        self.handled = 0
        self._places: dict[Socket, str] = {}
        self._resume: dict[UUID, str] = {}
        self._sends_windows = False
        self._windows: list[bytes] = [dialect.position] * WINDOW + [dialect.probe]

    async def connect(self) -> float:
        """Connect everybody, a few at once; return the seconds until all were ready.

        Who was connected before comes back with `?resume=`.
        """
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)
        begun = time.perf_counter()
        async with asyncio.timeout(SETUP_TIMEOUT):
            await asyncio.gather(*(self._connect(person, gate) for person in self.people))
        return time.perf_counter() - begun

    async def close(self) -> None:
        """Close all connections."""
        self._resume = {user: self._places.pop(socket, "") for user, socket in self.sockets.items()}
        for socket in self.sockets.values():
            socket.close()
        self.sockets.clear()
        await asyncio.sleep(0.3)

    async def stream(self, seconds: float) -> float:
        """Let everybody report positions as fast as the server takes them; return how many it handled a second."""
        self._sends_windows = True
        for socket in self.sockets.values():
            self._send_window(socket)
        await asyncio.sleep(seconds / 4)  # warm-up
        self.handled, self.latencies = 0, []
        begun = time.perf_counter()
        await asyncio.sleep(seconds)
        rate = self.handled / (time.perf_counter() - begun)
        self._sends_windows = False
        await asyncio.sleep(0.5)
        return rate

    async def until_heard(self, count: int, seconds: float) -> None:
        """Wait for so many notifications, or for so many seconds."""
        deadline = time.perf_counter() + seconds
        while self.heard < count and time.perf_counter() < deadline:  # noqa: ASYNC110  # an event costs each frame
            await asyncio.sleep(0.005)

    async def _connect(self, person: Person, gate: asyncio.Semaphore) -> None:
        async with gate:
            _, socket = await asyncio.get_running_loop().create_connection(
                lambda: Socket(self._take), "127.0.0.1", self._port
            )
            socket.transport.write(self._handshake(person))
            await socket.is_open
            if self._dialect.hello:
                socket.send(self._dialect.hello)
            if self._dialect.ready:
                await socket.is_ready
            self.sockets[person.id] = socket

    def _handshake(self, person: Person) -> bytes:
        place = self._resume.get(person.id)
        lines = [
            f"GET {self._dialect.path}{f'?resume={place}' if place else ''} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(person.id.bytes).decode()}",
            f"Authorization: Bearer {person.token(self._secret)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def _take(self, socket: Socket, text: bytes) -> None:
        if self._hear(text):
            return
        if NOTIFICATION in text:
            self.heard += 1
            found = SENT_AT.search(text)
            if found:
                self.latencies.append(time.time() - float(found[1]))
        elif self._sends_windows and self._dialect.answer in text:
            self.handled += WINDOW + 1
            self._send_window(socket)
        elif not socket.is_ready.done() and self._dialect.ready in text:
            if place := PLACE.search(text):
                self._places[socket] = f"{place[1].decode()}:{place[2].decode()}"
            socket.is_ready.set_result(None)
        elif self._dialect.ping and text == self._dialect.ping:
            socket.send(self._dialect.pong)

    def _send_window(self, socket: Socket) -> None:
        socket.send(*self._windows)
