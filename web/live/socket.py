"""The socket of the live map, `/live/ws/`: for the site's own pages, opened by staff."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import parse_cookie

from common.background_tasks import end
from common.errors import SECURITY_MESSAGE, ErrorCode
from common.threads import in_read_thread
from realtime.contract.frames import CloseCode
from realtime.socket.handshake import App, Receive, Scope, Send, headers_of, is_of_site, refuse
from web.live.feed import Viewer, feed
from web.live.staff import staff_sessions

logger = logging.getLogger(__name__)

CLOSE_GRACE = 5.0
"""Seconds that a browser gets to answer our closing frame."""


class OwnOrigin:
    """Lets through only what a page of this very site opens: cookies come along whichever page it is."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse any other origin, and none, with 403."""
        if is_own_origin(headers_of(scope, b"origin"), headers_of(scope, b"host")):
            await self._app(scope, receive, send)
            return
        logger.info("Live map refused: origin %s", headers_of(scope, b"origin"))
        await refuse(scope, receive, send, status=403, code=ErrorCode.UNAUTHORIZED, message="Origin not allowed")


class StaffOnly:
    """Lets through staff that is logged in to the admin; puts the `session_key` into the scope."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse everybody else with 403."""
        cookies = parse_cookie("; ".join(headers_of(scope, b"cookie")))
        key = cookies.get(settings.SESSION_COOKIE_NAME, "")
        if key in await in_read_thread(staff_sessions, {key}):
            await self._app({**scope, "session_key": key}, receive, send)
            return
        logger.info("Live map refused: not staff.")
        await refuse(scope, receive, send, status=403, code=ErrorCode.UNAUTHORIZED, message=SECURITY_MESSAGE)


def is_own_origin(origins: list[str], hosts: list[str]) -> bool:
    """Return whether a handshake comes from a page of this site: the host it was sent to, or a trusted origin."""
    if len(origins) != 1 or len(hosts) != 1:
        return False
    if origins[0] in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return is_of_site(origins[0]) and urlsplit(origins[0]).netloc.lower() == hosts[0].lower()


async def live_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one viewer: a snapshot, and after each frame that they have drawn, what has changed since."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    async with feed().viewer(scope["session_key"]) as viewer:
        reading = asyncio.create_task(_read(receive, viewer))
        writing = asyncio.create_task(_write(send, viewer))
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()  # raises what went wrong with us
            await asyncio.wait({reading}, timeout=CLOSE_GRACE)
        finally:
            await end(reading, writing)


async def _read(receive: Receive, viewer: Viewer) -> None:
    """Take any frame of the viewer as `I have drawn it`, until they disconnect."""
    while (await receive())["type"] == "websocket.receive":
        viewer.has_drawn()


async def _write(send: Send, viewer: Viewer) -> None:
    """Send a frame whenever the viewer is ready for one, until they disconnect or lose the right to look."""
    message: dict[str, Any] = {}
    while message.get("type") != "websocket.close":
        text = await viewer.next_frame(feed())
        if text is not None:
            message = {"type": "websocket.send", "text": text}
        else:
            message = {"type": "websocket.close", "code": int(CloseCode.UNAUTHORIZED)}
        try:
            await send(message)
        except (OSError, RuntimeError):  # the viewer disconnected, which `receive` reports too
            return
