"""The server behind `manage.py serve`: uvicorn with the limits of the contract."""

from __future__ import annotations

import socket

import uvicorn
from django.conf import settings

from realtime.connections import connections

SHUTDOWN_TIMEOUT = 10
"""Seconds that connections get to finish what they are doing when the server is told to stop."""


class Server(uvicorn.Server):
    """Tells clients of a restart before their sockets are closed (1012)."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye, then close everything."""
        await connections.announce_restart()
        await super().shutdown(sockets)


def make_server(host: str, port: int) -> Server:
    """Return a server for one process, not yet started."""
    ping_period: float = settings.WS_PING_PERIOD.total_seconds()
    config = uvicorn.Config(
        "nebengjek.asgi:application",
        host=host,
        port=port,
        ws="websockets-sansio",
        ws_max_size=settings.WS_MAX_MESSAGE_SIZE,
        ws_ping_interval=ping_period,
        ws_ping_timeout=settings.WS_READ_TIMEOUT.total_seconds() - ping_period,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    return Server(config)
