"""python-socketio with its Redis manager, on uvicorn.

REDIS_URL=… JWT_SECRET=… uvicorn --app-dir bench/peers socket_io:app
"""

from __future__ import annotations

import os
from typing import Any

import jwt
import socketio

server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")),
)
app = socketio.ASGIApp(server)


@server.event  # type: ignore[untyped-decorator]  # it has no type hints
async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
    """Enter the room of the token's user."""
    token = environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    claims = jwt.decode(token, os.environ["JWT_SECRET"], algorithms=["HS256"])
    await server.enter_room(sid, f"user_{claims['user_id']}")


@server.event  # type: ignore[untyped-decorator]
async def location_update(sid: str, data: Any) -> None:
    """Take a position; it was decoded."""


@server.event  # type: ignore[untyped-decorator]
async def probe(sid: str, data: Any) -> None:
    """Answer."""
    await server.emit("error", {}, to=sid)
