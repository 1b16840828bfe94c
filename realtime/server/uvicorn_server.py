"""The server behind `manage.py serve`: uvicorn with the limits of the contract."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from django.conf import settings

from common.background_tasks import end
from common.ending import end_in_time
from common.garbage import collect_seldom
from realtime.server.admission import State, backlog, raise_descriptor_limit
from realtime.server.drain import drain
from realtime.server.http_protocol import HttpProtocol
from realtime.server.websocket_protocol import Protocol

if TYPE_CHECKING:
    from simulation.town import Town

T = TypeVar("T")

LAST_CALL = 2.0
"""Seconds that connections get at least to end by themselves after the closing frames."""

LOOK_INTERVAL = 0.1
"""Seconds between two looks at whether a second Ctrl-C asks to hurry."""

TICK = 1.0
"""Seconds after which the `Date` of answers is renewed."""

LARGEST_PING = 125
"""Bytes, by RFC 6455."""


class BoundedServer(uvicorn.Server):
    """Bounds its connections, in all and by address (see `realtime.server.admission`)."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = State()


class Server(BoundedServer):
    """Prints where it listens, and closes its sockets in stages when it stops (see `realtime.server.drain`).

    With `demo` a town lives in it.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[str], None], *, demo: bool) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._demo = demo
        self._town: Town | None = None
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Renew the date of answers once a second until the server is told to stop.

        uvicorn looks ten times a second whether it was: half of what a server that idles does.
        """
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._told.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            collect_seldom()
            listener = sockets[0] if sockets else self.servers[0].sockets[0]
            url = address_of(*listener.getsockname()[:2])
            self._on_started(url)
            if self._demo:
                from simulation.town import Town  # its client takes 0.1 s of start

                self._town = Town(url)
                self._town.start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, which ends in time in any case."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)
        end_in_time(settings.SHUTDOWN_NOTICE)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye, then close everything."""
        if self._town is not None:
            await self._town.stop()
        await self._unless_hurried(drain().give_notice())
        for server in self.servers:
            server.close()
        left = await self._unless_hurried(drain().close_all())
        self.config.timeout_graceful_shutdown = math.ceil(max(left or 0.0, LAST_CALL))
        await super().shutdown(sockets)

    async def _unless_hurried(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Wait for some work; at a second Ctrl-C it is given up."""
        task = asyncio.create_task(work)
        while not task.done() and not self.force_exit:
            await asyncio.wait({task}, timeout=LOOK_INTERVAL)
        if not task.done():
            await end(task)
            return None
        return task.result()


def address_of(host: str, port: int) -> str:
    """Return the HTTP address of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(host: str, port: int, on_started: Callable[[str], None], *, demo: bool = False) -> Server:
    """Return a server for one process; `on_started` is called with its address. With `demo` a town lives in it."""
    raise_descriptor_limit()
    config = make_config("nebengjek.asgi:application", host=host, port=port, lifespan="on", backlog=backlog())
    return Server(config, on_started, demo=demo)


def make_config(app: Any, **options: Any) -> uvicorn.Config:
    """Return what uvicorn has to know to serve an ASGI application within our limits."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=Protocol,
        # The consumer looks at the size again: `websockets` adds a ping that comes between the fragments to it.
        ws_max_size=settings.WS_MAX_MESSAGE_SIZE + LARGEST_PING,
        ws_ping_interval=settings.WS_PING_PERIOD.total_seconds(),
        ws_ping_timeout=None,  # the read time-out does this
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **options,
    )
