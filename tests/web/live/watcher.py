"""Somebody who looks at the live map in the tests: a socket behind the whole handshake, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from nebengjek.asgi import websocket_application
from tests.patience import TIMEOUT, within
from users.models import User

DEADLINE = 30
HOST = "testserver"
ORIGIN = f"http://{HOST}"

Headers = list[tuple[bytes, bytes]]


def logged_in(user: User) -> str:
    """The key of a session in which this user has logged in."""
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.save()
    return str(request.session.session_key)


def headers_of(session_key: str | None, origin: str | None = ORIGIN, host: str = HOST) -> Headers:
    """What a browser sends."""
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if session_key is not None:
        headers.append((b"cookie", f"theme=dark; {settings.SESSION_COOKIE_NAME}={session_key}".encode()))
    return headers


async def refused(headers: Headers) -> tuple[int, Any]:
    """Status and body of a handshake that is refused before the upgrade."""
    socket = WebsocketCommunicator(websocket_application, "/live/ws/", headers=headers)
    socket.scope["extensions"] = {"websocket.http.response": {}}
    await socket.send_input({"type": "websocket.connect"})
    start = await socket.receive_output(TIMEOUT)
    body = await socket.receive_output(TIMEOUT)
    await socket.wait()
    return start["status"], json.loads(body["body"])


class Watcher:
    """One viewer; `town` is what his page would show."""

    def __init__(self, session_key: str) -> None:
        self.socket = WebsocketCommunicator(websocket_application, "/live/ws/", headers=headers_of(session_key))
        self.town: dict[str, Any] = {}

    async def __aenter__(self) -> Watcher:
        connected, _ = await self.socket.connect(TIMEOUT)
        assert connected
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect(timeout=TIMEOUT)

    async def read(self) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = json.loads(await self.socket.receive_from(TIMEOUT))
        return frame

    async def drawn(self) -> None:
        """Say that the last frame is drawn."""
        await self.socket.send_to(text_data="{}")

    async def look(self) -> dict[str, Any]:
        """Take the next frame into `town`, as the page does, and say that it is drawn."""
        frame = await self.read()
        data = frame["data"]
        if frame["type"] == "snapshot":
            self.town = {"drivers": {}, "searches": {}, "rides": {}, "tracks": {}}
        for kind in ("drivers", "searches", "rides"):
            for item in data[kind]["set"]:
                self.town[kind].setdefault(item["id"], {}).update(item)
            for key in data[kind]["gone"]:
                del self.town[kind][key]
        for ride_id, places in data["tracks"].items():
            self.town["tracks"].setdefault(ride_id, []).extend(places)
        self.town["figures"] = data["figures"]
        await self.drawn()
        return frame

    async def until(self, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Look until something is so, and return the town."""
        async with within():
            while not self.town or not is_so(self.town):
                await self.look()
        return self.town

    async def closed_with(self) -> int:
        """The code with which the server closes; frames before are read over."""
        while True:
            message = await self.socket.receive_output(TIMEOUT)
            if message["type"] == "websocket.close":
                return int(message["code"])
            await self.drawn()
