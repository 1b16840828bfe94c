"""A server within the test process: our limits in front of a small ASGI application, on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from realtime.server.uvicorn_server import BoundedServer, make_config


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer what was asked: over HTTP as JSON, on a WebSocket the same text; `/never/` is not answered at all.

    `/early/` is answered before the body is read.
    `/large/` is as many bytes as the query says; `/flood/` is a WebSocket that sends as many frames of 1 kB.
    """
    if scope["path"] == "/never/":
        await asyncio.get_running_loop().create_future()
    if scope["type"] == "http":
        await _echo_http(scope, receive, send)
    else:
        await _echo_frames(scope, receive, send)


async def _echo_http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    asked: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "body": ""}
    while scope["path"] != "/early/":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        asked["body"] += message["body"].decode()
        if not message["more_body"]:
            break
    body = b"x" * int(scope["query_string"]) if scope["path"] == "/large/" else json.dumps(asked).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def _echo_frames(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    try:
        if scope["path"] == "/flood/":
            for _ in range(int(scope["query_string"])):
                await send({"type": "websocket.send", "text": "x" * 1000})
        while (message := await receive())["type"] == "websocket.receive":
            await send(message | {"type": "websocket.send"})
    except ClientDisconnected:
        pass


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Serve `echo` with the limits of the settings at the time; yields `host:port`."""
    config = make_config(echo, host="127.0.0.1", port=0, lifespan="off", loop="asyncio")
    config.load()
    server = BoundedServer(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    [listener] = server.servers
    host, port = listener.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        listener.close()
        for task in list(server.server_state.tasks):
            task.cancel()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        while server.server_state.connections:
            await asyncio.sleep(0)


@pytest.fixture
async def host() -> AsyncIterator[str]:
    """The `host:port` of a server that echoes; its limits are those of the settings at the time."""
    async with serving() as address:
        yield address
