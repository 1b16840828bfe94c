"""Real sockets whose other end says what a test wants: for what a server that works does not do on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

LIMITS = {"max_message_size": 512, "command_rate": 0, "command_burst": 30, "location_rate": 0, "location_max_age": 60.0}
SESSION: dict[str, Any] = {
    "user_id": "u",
    "role": "driver",
    "connection_id": "c",
    "epoch": "e1",
    "seq": 0,
    "recovered": False,
    "server_time": "2030-01-01T00:00:00Z",
    "state": {},
    "limits": LIMITS,
}


class Script:
    """One connection, as the server sees it; `number` counts them from 1."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        assert socket.request is not None
        self.socket, self.number = socket, number
        self.path = socket.request.path
        self.token = socket.request.headers["Authorization"].removeprefix("Bearer ")

    async def say(self, kind: str, data: dict[str, Any], **more: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "data": data, **more}))

    async def greet(self, **changes: Any) -> None:
        await self.say("session_ready", {**SESSION, **changes})


OnFrame = Callable[[Script, dict[str, Any]], Awaitable[None]]
OnOpen = Callable[[Script], Awaitable[None]]


class ScriptedServer:
    """What it was told, and by whom."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[Script] = []
        self.frames: list[dict[str, Any]] = []


async def ack_all(script: Script, frame: dict[str, Any]) -> None:
    """Answer every command that has an id."""
    if "id" in frame:
        await script.say("ack", {}, id=frame["id"])


async def greet(script: Script) -> None:
    await script.greet()


@asynccontextmanager
async def scripted_server(on_frame: OnFrame = ack_all, on_open: OnOpen = greet) -> AsyncIterator[ScriptedServer]:
    """Serve a socket that greets, and answers each frame, by the script."""
    server = ScriptedServer()

    async def handle(socket: ServerConnection) -> None:
        script = Script(socket, len(server.connections) + 1)
        server.connections.append(script)
        try:
            await on_open(script)
            async for text in socket:
                frame = json.loads(text)
                server.frames.append(frame)
                await on_frame(script, frame)
        except ConnectionClosed:
            pass

    async with serve(handle, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}"
        yield server


class HttpAnswers:
    """What is answered next over HTTP, and what was asked."""

    def __init__(self, *answers: tuple[int, dict[str, Any]] | tuple[int, dict[str, Any], str]) -> None:
        self.url = ""
        self.answers = list(answers)
        self.bodies: list[Any] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
        self.bodies.append(json.loads(await reader.readexactly(length) or b"null"))
        await self.hold.wait()
        status, body, *headers = self.answers.pop(0)
        text = json.dumps(body)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(text)}", "Connection: close", *headers]
        writer.write("\r\n".join([*lines, "", text]).encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def http_server(*answers: Any) -> AsyncIterator[HttpAnswers]:
    """Serve HTTP with the answers `(status, body)` or `(status, body, header)`, one after the other."""
    script = HttpAnswers(*answers)
    async with await asyncio.start_server(script.handle, "127.0.0.1", 0) as listening:
        script.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield script
