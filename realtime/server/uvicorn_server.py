"""The server behind `manage.py serve`: uvicorn with the limits of the contract.

`WS_HANDSHAKE_TIMEOUT`, `WS_PING_PERIOD`, `WS_READ_TIMEOUT`, `WS_READ_BUFFER_SIZE`, `WS_WRITE_TIMEOUT`,
`WS_WRITE_BUFFER_SIZE` and `WS_MAX_MESSAGE_SIZE` have their effect here.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvicorn
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from common.background_tasks import end
from realtime.contract.frames import CloseCode
from realtime.server.drain import drain
from realtime.socket.position_pacing import Pace
from simulation.town import Town

T = TypeVar("T")

LAST_CALL = 2.0
"""Seconds that connections get at least to end by themselves after the closing frames."""

LOOK_INTERVAL = 0.1
"""Seconds between two looks at whether a second Ctrl-C asks to hurry."""

LARGEST_PING = 125
"""Bytes, by RFC 6455."""

NOT_TEXT = 1007
"""RFC 6455: a text frame that is not UTF-8."""

CLOSE_GRACE = 5
"""Seconds that a client gets to take our last frames and to answer the closing one."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which does not wait for ever for the head of a request."""

    def connection_made(self, transport: Any) -> None:
        """Give the client `WS_HANDSHAKE_TIMEOUT` for its first request."""
        super().connection_made(transport)
        timeout = settings.WS_HANDSHAKE_TIMEOUT.total_seconds()
        self._head_timer = self.loop.call_later(timeout, self._give_up)

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        self._head_timer.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with bounds in both directions.

    Frames that wait for the consumer are bounded by `WS_READ_BUFFER_SIZE`: beyond it nothing is read, and TCP slows the
    client down. What waits for the client is bounded by `WS_WRITE_BUFFER_SIZE`: beyond it `send` waits, and a client
    that takes nothing for `WS_WRITE_TIMEOUT` is closed with 1013. A client that sends nothing for `WS_READ_TIMEOUT`,
    not even the answer to a ping, is closed with 4408; time in which we do not read does not count.
    """

    def connection_made(self, transport: Any) -> None:
        """Set the bounds, and give the handshake its time."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=settings.WS_WRITE_BUFFER_SIZE)
        self._waiting = 0
        self._heard_at = self.loop.time()
        timeout = settings.WS_HANDSHAKE_TIMEOUT.total_seconds()
        self._handshake_timer = self.loop.call_later(timeout, self._give_up)
        self._read_timer: asyncio.TimerHandle | None = None
        self._pace = Pace(self._ping)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._handshake_timer.cancel()
        if self._read_timer is not None:
            self._read_timer.cancel()
        self._pace.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that the client lives, whatever it sent."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    def handle_pong(self, event: Any) -> None:
        """Let the pace know of answers to its pings; the others are uvicorn's."""
        if not self._pace.answered(bytes(event.data)):
            super().handle_pong(event)

    def start_keepalive(self) -> None:
        """Begin to ping and to listen for life: the handshake is done."""
        self._handshake_timer.cancel()
        del self.request, self.response  # some kilobytes that nobody needs any more
        super().start_keepalive()
        self._listen_for_life()

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the consumer; stop reading when more waits than `WS_READ_BUFFER_SIZE`."""
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        message: Any = {"type": "websocket.receive", "bytes": data}
        if self.curr_msg_data_type == "text":
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self.conn.send_close(NOT_TEXT)
                self.handle_parser_exception()
                return
        self._waiting += len(data)
        self.queue.put_nowait(message)
        if self._waiting >= settings.WS_READ_BUFFER_SIZE and not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> Any:
        """Return the next message, and read on when there is room."""
        message: Any = await self.queue.get()
        if message["type"] == "websocket.receive":
            text = message.get("text")
            self._waiting -= len(text.encode()) if text is not None else len(message["bytes"])
        if self.read_paused and self._waiting < settings.WS_READ_BUFFER_SIZE:
            self.read_paused = False
            self._heard_at = self.loop.time()
            self.transport.resume_reading()
        return message

    def silence(self) -> float:
        """Return for how many seconds nothing came from the client; 0 while we do not read."""
        return 0.0 if self.read_paused else self.loop.time() - self._heard_at

    async def send(self, message: Any) -> None:
        """Send; close the connection when the client has read nothing for `WS_WRITE_TIMEOUT`."""
        if not self.writable.is_set():
            try:
                async with asyncio.timeout(settings.WS_WRITE_TIMEOUT.total_seconds()):
                    await self.writable.wait()
            except TimeoutError:
                self._close(CloseCode.TOO_SLOW)
                raise ClientDisconnected from None
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # uvicorn forgets it, and then logs an error for every refusal
        if self.handshake_complete:
            self._handshake_timer.cancel()

    async def run_asgi(self) -> None:
        """Run the consumer; after its end the client has `CLOSE_GRACE` to take what is left, and then is cut off."""
        self.scope["state"] |= {"silence": self.silence, "pace": self._pace}
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(CLOSE_GRACE, self._abort)

    def shutdown(self) -> None:
        """Close with 1012, and cut the connection if that is not answered."""
        super().shutdown()
        self.loop.call_later(CLOSE_GRACE, self._abort)

    def _listen_for_life(self) -> None:
        timeout: float = settings.WS_READ_TIMEOUT.total_seconds()
        silent = self.silence()
        if silent >= timeout:
            self._close(CloseCode.NOTHING_HEARD)
        else:
            self._read_timer = self.loop.call_later(timeout - silent, self._listen_for_life)

    def _ping(self, payload: bytes) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _close(self, code: CloseCode) -> None:
        """Close from our side; who does not take the closing frame within `CLOSE_GRACE` is cut off."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": ""})
        self.close_timer = self.loop.call_later(CLOSE_GRACE, self._abort)

    def _give_up(self) -> None:
        """End a handshake that takes too long, or one that was refused and whose client does not go."""
        if not self.handshake_complete and not self.conn.eof_sent:
            self.send_500_response()
        self.transport.close()
        self.loop.call_later(CLOSE_GRACE, self._abort)

    def _abort(self) -> None:
        transport: Any = self.transport  # uvloop's is no subclass of asyncio's
        transport.abort()


class Server(uvicorn.Server):
    """Prints where it listens, and closes its sockets in stages when it stops (see `realtime.server.drain`).

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
    config = uvicorn.Config(
        "nebengjek.asgi:application",
        host=host,
        port=port,
        http=HttpProtocol,
        ws=Protocol,
        # The consumer looks at the size again: `websockets` adds a ping that comes between the fragments to it.
        ws_max_size=settings.WS_MAX_MESSAGE_SIZE + LARGEST_PING,
        ws_ping_interval=settings.WS_PING_PERIOD.total_seconds(),
        ws_ping_timeout=None,  # the read time-out does this
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    return Server(config, on_started, demo=demo)
