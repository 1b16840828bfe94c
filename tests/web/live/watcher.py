"""Somebody who looks at the live map in the tests: a socket behind the whole handshake, without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from tests.patience import within
from tests.realtime.phone import Headers, InProcessClient
from users.models import User

HOST = "testserver"
ORIGIN = f"http://{HOST}"


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


class Watcher(InProcessClient):
    """One viewer; `town` is what their page would show."""

    def __init__(self, session_key: str) -> None:
        super().__init__("/live/ws/", headers_of(session_key))
        self.town: dict[str, Any] = {}

    async def __aenter__(self) -> Watcher:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def drawn(self) -> None:
        """Say that the last frame is drawn."""
        await self.send("{}")

    async def look(self) -> dict[str, Any]:
        """Take the next frame into `town`, as the page does, and say that it is drawn."""
        frame = await self.next()
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
