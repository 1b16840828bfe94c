"""uvicorn's WebSocket with bounds in both directions, and pings that keep idle sockets open.

`WS_HANDSHAKE_TIMEOUT`, `WS_IDLE_PING`, `WS_PING_PERIOD`, `WS_READ_TIMEOUT`, `WS_READ_BUFFER_SIZE`, `WS_WRITE_TIMEOUT`
and `WS_WRITE_BUFFER_SIZE` have their effect here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders

from realtime import metrics
from realtime.contract.frames import CloseCode
from realtime.server.admission import State, address_of_peer
from realtime.server.http_protocol import NO_ROOM, RETRY_AFTER, answer
from realtime.server.timer import Timer
from realtime.server.waiting import Gate, Inbox
from realtime.socket.position_pacing import Pace
from realtime.socket.rate_limits import TokenBucket

NOT_TEXT = 1007
"""RFC 6455: a text frame that is not UTF-8."""

CLOSE_GRACE = 5
"""Seconds that a client gets to take our last frames and to answer the closing one."""

SLICE = 8192
"""Bytes that are parsed at once: with frames of six bytes 1,365, some 20 ms in which nobody else is served."""

MOST_AFTER_CLOSE = 65536
"""Bytes that are still read, for the client's own closing frame, after we have closed."""

FRAME_RATE, FRAME_BURST = 50, 1000
"""Frames without content that a client may send, a second and at once; 1 Mbit/s of the largest pings is 950/s."""

TINY = 16
"""Bytes; a continuation frame below that has no content to speak of."""

MOST_PONGS_DUE = 100
"""Answers to our pings that count against no limit."""

IDLE_PING = b"idle"
"""The payload of pings that keep a socket open."""

PONG = 0x8A
"""The first byte of a pong."""


class Protocol(WebSocketsSansIOProtocol):
    """One WebSocket.

    Frames that wait for the consumer are bounded by `WS_READ_BUFFER_SIZE`: beyond it nothing is read, and TCP slows the
    client down. What waits for the client is bounded by `WS_WRITE_BUFFER_SIZE`: beyond it `send` waits, and a client
    that takes nothing for `WS_WRITE_TIMEOUT` is closed with 1013. One of which nothing is heard for `WS_READ_TIMEOUT`,
    not even the answer to a ping, is closed with 4408; the clock stands while we do not read. One that sends more than
    `FRAME_RATE` frames without content is closed with 4429.

    Reason for its size: it is a state machine, over callbacks of the transport, of the parser and of ASGI.
    """

    def __init__(self, config: Any, server_state: State, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue, self.writable = Inbox(), Gate()  # type: ignore[assignment]
        self.address: str | None = None
        self._admission = server_state.admission
        self._waiting = 0
        self._after_close = 0
        self._pongs_due = 0
        self._late_pong = b""
        self._is_too_slow = False
        self._frame_limit = TokenBucket(FRAME_RATE, FRAME_BURST)
        self._handshake_timer = Timer(self._give_up)
        self._read_timer = Timer(self._listen_for_life)
        self._write_timer = Timer(self._give_up_writing)
        self._idle_timer = Timer(self._break_silence)
        self._pace = Pace(self._ping)

    # --- the transport ---

    def connection_made(self, transport: Any) -> None:
        """Set the bounds, and give the handshake its time."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=settings.WS_WRITE_BUFFER_SIZE)
        self.address = address_of_peer(self.client)
        self._admission.enter(self)  # in the place that the HTTP connection has just left
        self._heard_at = self._sent_at = self.loop.time()
        self._handshake_timer.start(settings.WS_HANDSHAKE_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks, and make room."""
        for timer in (self._handshake_timer, self._read_timer, self._write_timer, self._idle_timer):
            timer.stop()
        self._pace.stop()
        self._admission.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, in slices, for as long as we listen to the client."""
        self._heard_at = self.loop.time()
        for start in range(0, len(data), SLICE):
            piece = data[start : start + SLICE]
            if self.close_sent and not self._hears_after_close(len(piece)):
                return
            super().data_received(piece)
            if self.conn.handshake_exc is not None:
                self._refuse_handshake(self.conn.handshake_exc)
                return

    def pause_writing(self) -> None:
        """Let `send` wait, and give the client `WS_WRITE_TIMEOUT` to read."""
        super().pause_writing()
        self._write_timer.start(settings.WS_WRITE_TIMEOUT)

    def resume_writing(self) -> None:
        """Stop that clock, and answer the last ping."""
        super().resume_writing()
        self._write_timer.stop()
        if self._late_pong:
            pong, self._late_pong = self._late_pong, b""
            self.transport.write(pong)

    # --- the parser ---

    def handle_cont(self, event: Any) -> None:
        """Take a further piece of a message."""
        if len(event.data) < TINY:
            self._count_frame()
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping: of several that come while the client does not read, the last (RFC 6455, 5.5.3)."""
        output = self.conn.data_to_send()
        if not self.writable.is_set():
            pongs = [data for data in output if data[:1] == bytes([PONG])]
            output = [data for data in output if data[:1] != bytes([PONG])]
            self._late_pong = pongs[-1] if pongs else self._late_pong
        self.transport.write(b"".join(output))
        self._count_frame()

    def handle_pong(self, event: Any) -> None:
        """Take the answer to a ping of ours; others count as frames without content."""
        if self._pongs_due:
            self._pongs_due -= 1
        else:
            self._count_frame()
        if not self._pace.answered(bytes(event.data)):
            super().handle_pong(event)

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

    def _count_frame(self) -> None:
        if self._frame_limit.take() and not self.close_sent:
            metrics.limited("frame")
            self._close(CloseCode.FLOODING)

    def _hears_after_close(self, size: int) -> bool:
        """Whether we still read: a client may answer our closing frame, but not go on and on until `CLOSE_GRACE`."""
        self._after_close += size
        if self._after_close <= MOST_AFTER_CLOSE:
            return True
        if not self.transport.is_closing():
            self.transport.pause_reading()
        return False

    # --- ASGI ---

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

    async def send(self, message: Any) -> None:
        """Send when there is room; raise `ClientDisconnected` where the client takes nothing."""
        await self.writable.wait()
        if self._is_too_slow:
            raise ClientDisconnected
        await super().send(message)
        self._sent_at = self.loop.time()
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # uvicorn forgets it, and then logs an error for every refusal
        if self.handshake_complete:
            self._handshake_timer.stop()

    async def run_asgi(self) -> None:
        """Run the consumer; after its end the client has `CLOSE_GRACE` to take what is left, and then is cut off."""
        self.scope["state"] |= {"silence": self.silence, "pace": self._pace, "gone": self.transport.is_closing}
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(CLOSE_GRACE, self._abort)

    def silence(self) -> float:
        """Return for how many seconds nothing came from the client; 0 while we do not read."""
        return 0.0 if self.read_paused else self.loop.time() - self._heard_at

    def shutdown(self) -> None:
        """Close with 1012, and cut the connection if that is not answered."""
        super().shutdown()
        self.loop.call_later(CLOSE_GRACE, self._abort)

    # --- pings and clocks ---

    def start_keepalive(self) -> None:
        """Begin to ping and to listen for life: the handshake is done, and the person known."""
        self._handshake_timer.stop()
        self._admission.know(self)
        del self.request, self.response  # some kilobytes that nobody needs any more
        super().start_keepalive()
        self._listen_for_life()
        self._break_silence()

    def send_keepalive_ping(self) -> None:
        """Send the ping of `WS_PING_PERIOD`."""
        super().send_keepalive_ping()
        self._pinged()

    def _break_silence(self) -> None:
        """Ping when we have sent nothing for `WS_IDLE_PING`: proxies close what is silent, nginx after 60 s."""
        period: float = settings.WS_IDLE_PING.total_seconds()
        idle = self.loop.time() - self._sent_at
        if idle >= period:
            self._ping(IDLE_PING)
            idle = 0.0
        self._idle_timer.start(period - idle)

    def _listen_for_life(self) -> None:
        timeout: float = settings.WS_READ_TIMEOUT.total_seconds()
        silent = self.silence()
        if silent >= timeout:
            self._close(CloseCode.NOTHING_HEARD)
        else:
            self._read_timer.start(timeout - silent)

    def _ping(self, payload: bytes) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._pinged()

    def _pinged(self) -> None:
        self._sent_at = self.loop.time()
        self._pongs_due = min(self._pongs_due + 1, MOST_PONGS_DUE)

    # --- the end ---

    def _close(self, code: CloseCode) -> None:
        """Close from our side; a client that does not take the closing frame within `CLOSE_GRACE` is cut off."""
        if self.close_sent or self.transport.is_closing():
            return
        if not self.handshake_complete:
            self._abort()
            return
        self.stop_keepalive()
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": ""})
        self.close_timer = self.loop.call_later(CLOSE_GRACE, self._abort)

    def _give_up_writing(self) -> None:
        """Close, and let those who wait in `send` know that it was in vain."""
        self._is_too_slow = True
        self._close(CloseCode.TOO_SLOW)
        self.writable.set()

    def _refuse_handshake(self, exc: Exception) -> None:
        """Answer a handshake that cannot be read; `websockets` takes lines of 8 KB and 128 headers."""
        too_large = isinstance(exc, HeaderLineTooLong | RequestLineTooLong | TooManyHeaders)
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
        metrics.answered(status)
        self.transport.write(answer(status, f"{status.phrase}."))
        self.transport.close()

    def evict(self) -> None:
        """Close at once."""
        self._abort()

    def _give_up(self) -> None:
        """End a handshake for which we take too long, or one that was refused and whose client does not go."""
        if not self.handshake_complete and not self.conn.eof_sent and self.initial_response is None:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            self.conn.send_response(self.conn.reject(status, ""))  # for its state; what we say stands in the contract
            self.conn.data_to_send()
            metrics.answered(status)
            self.transport.write(answer(status, NO_ROOM, retry_after=RETRY_AFTER))
        self.transport.close()
        self.loop.call_later(CLOSE_GRACE, self._abort)

    def _abort(self) -> None:
        transport: Any = self.transport  # uvloop's is no subclass of asyncio's
        transport.abort()
