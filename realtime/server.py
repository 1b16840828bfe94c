"""The server behind `manage.py serve`: uvicorn with the limits of the contract."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from django.conf import settings
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.connections import connections
from realtime.simulation.town import Town

SHUTDOWN_TIMEOUT = 10
"""Seconds that connections get to finish what they are doing when the server is told to stop."""

CLOSE_GRACE = 5
"""Seconds that a client gets to take our last frames and to answer the closing one."""


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which does not wait for ever for a client that does not read."""

    async def send(self, message: Any) -> None:
        """Send; cut the connection when the client has read nothing for `WS_WRITE_TIMEOUT`."""
        if not self.writable.is_set():
            try:
                async with asyncio.timeout(settings.WS_WRITE_TIMEOUT.total_seconds()):
                    await self.writable.wait()
            except TimeoutError:
                self._abort()
                raise ClientDisconnected from None
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # uvicorn forgets it, and then logs an error for every refusal

    async def run_asgi(self) -> None:
        """Run the consumer; after its end the client has `CLOSE_GRACE` to take what is left, and then is cut off."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(CLOSE_GRACE, self._abort)

    def shutdown(self) -> None:
        """Close with 1012, and cut the connection if that is not answered."""
        super().shutdown()
        self.loop.call_later(CLOSE_GRACE, self._abort)

    def _abort(self) -> None:
        transport: Any = self.transport  # uvloop's is no subclass of asyncio's
        transport.abort()


class Server(uvicorn.Server):
    """Says where it listens, and tells clients of a restart before their sockets are closed (1012).

    With `demo` a town lives in it.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[str], None], *, demo: bool) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._demo = demo
        self._town: Town | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            listener = sockets[0] if sockets else self.servers[0].sockets[0]
            url = address_of(*listener.getsockname()[:2])
            self._on_started(url)
            if self._demo:
                self._town = Town(url)
                self._town.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye, then close everything."""
        if self._town is not None:
            await self._town.stop()
        await connections.announce_restart()
        await super().shutdown(sockets)


def address_of(host: str, port: int) -> str:
    """Return the HTTP address of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(host: str, port: int, on_started: Callable[[str], None], *, demo: bool = False) -> Server:
    """Return a server for one process; `on_started` is called with its address. With `demo` a town lives in it."""
    ping_period: float = settings.WS_PING_PERIOD.total_seconds()
    config = uvicorn.Config(
        "nebengjek.asgi:application",
        host=host,
        port=port,
        ws=Protocol,
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
    return Server(config, on_started, demo=demo)
