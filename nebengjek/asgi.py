"""The ASGI application: HTTP, the WebSockets at `/ws/` and `/live/ws/`, and the background work that goes with them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
django.setup(set_prefix=False)  # before anything that needs models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.checks import ERROR, run_checks  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.urls import re_path  # noqa: E402

from common.handler import BoundedASGIHandler  # noqa: E402
from common.tracing import tracing  # noqa: E402
from realtime.server.background import background  # noqa: E402
from realtime.socket.consumer import UserConsumer  # noqa: E402
from realtime.socket.handshake import (  # noqa: E402
    ConnectRateMiddleware,
    CountingMiddleware,
    JWTAuthMiddleware,
    LoopbackOnly,
    OriginMiddleware,
    UpgradeRequired,
    has_public_secrets,
    not_found,
)
from web.live.socket import OwnOrigin, StaffOnly, live_socket  # noqa: E402

django_handler: Any = BoundedASGIHandler()
django_application: Any = CountingMiddleware(UpgradeRequired(django_handler, "/ws/", "/live/ws/"))
users_socket: Any = OriginMiddleware(ConnectRateMiddleware(JWTAuthMiddleware(UserConsumer.as_asgi())))
live_map: Any = OwnOrigin(ConnectRateMiddleware(StaffOnly(live_socket)))
nothing_here: Any = not_found
websocket_application = URLRouter(
    [re_path(r"^ws/$", users_socket), re_path(r"^live/ws/$", live_map), re_path(r"", nothing_here)]
)
tracing.start("web")
router = ProtocolTypeRouter({"http": django_application, "websocket": websocket_application})
if has_public_secrets():
    router = LoopbackOnly(router)

if sys.argv[1:2] != ["serve"]:  # other servers run no checks of their own
    errors = [problem for problem in run_checks() if problem.level >= ERROR]
    if errors:
        raise ImproperlyConfigured("\n".join(str(problem) for problem in errors))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one connection, request, or the lifespan of the server."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    background().ensure_started()
    await router(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Start the background work before the first connection, and end it after the last."""
    await receive()  # lifespan.startup
    try:
        background().ensure_started()
    except Exception as exc:
        await send({"type": "lifespan.startup.failed", "message": str(exc)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await background().stop()
    await asyncio.to_thread(tracing.stop)
    await send({"type": "lifespan.shutdown.complete"})
