"""uvicorn's HTTP with bounds: the time and the size of every request, and what a client may leave unread.

A request, head and body, must arrive within `WS_HANDSHAKE_TIMEOUT` (408). The head may have `MOST_HEAD` bytes (431),
the body `MOST_BODY` (413). A client that takes none of an answer for `WS_WRITE_TIMEOUT` is cut off.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httptools
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from common.errors import ErrorCode
from realtime import metrics
from realtime.contract.frames import encode
from realtime.server.admission import State, address_of_peer
from realtime.server.timer import Timer

MOST_HEAD = 64 * 1024
"""Bytes of request line and headers; Node.js takes 16 KB, nginx 32 KB by default."""

MOST_BODY = 1024 * 1024
"""Bytes of a body; the largest that the contract knows has a few hundred, forms of the admin some kilobytes."""

MOST_FRAMED = 2 * MOST_BODY
"""Bytes of a chunked body with the sizes of its chunks and its trailers."""

MOST_PIPELINED = 16
"""Requests that may wait on one connection for the answer to the one before."""

LINGER = 2.0
"""Seconds in which the rest of a refused request is thrown away: closing at once would also lose the answer."""

NO_ROOM = "Too many connections at the moment."

RETRY_AFTER = 5
"""Seconds after which a client that found no room may try again."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection.

    Reason for its size: it is a state machine, over callbacks of the transport and of the parser.
    """

    def __init__(self, config: Any, server_state: State, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address: str | None = None
        self._admission = server_state.admission
        self._refused = False
        self._in_request = False
        self._in_head = True
        self._head_size = self._body_size = self._framed_size = 0
        self._accounted = 0
        self._unread = 0
        self._request_clock = Timer(self._time_is_up)
        self._reader_clock = Timer(self._look_what_is_unread)

    # --- the transport ---

    def connection_made(self, transport: Any) -> None:
        """Find room for the connection, and give its client `WS_HANDSHAKE_TIMEOUT` for the first request."""
        super().connection_made(transport)
        self.address = address_of_peer(self.client)
        if self._admission.enter(self):
            self._admission.wait(self)
            self._request_clock.start(settings.WS_HANDSHAKE_TIMEOUT)
        else:
            self._refused = True
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, NO_ROOM, retry_after=RETRY_AFTER)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks, and make room."""
        self._request_clock.stop()
        self._reader_clock.stop()
        self._admission.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; what a refused client still sends is thrown away."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._request_clock.start(settings.WS_HANDSHAKE_TIMEOUT)
        self._accounted = 0
        self._feed(data)
        if self._in_head:
            self._head_size += max(0, len(data) - self._accounted)
        else:
            self._framed_size += len(data)
        if self._head_size > MOST_HEAD:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._framed_size > MOST_FRAMED:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def pause_writing(self) -> None:
        """Wait for the client to read what is written."""
        super().pause_writing()
        self._admission.wait(self)
        self._expect_reading()

    def resume_writing(self) -> None:
        """Go on writing; only what is left when the connection is being closed is still waited for."""
        super().resume_writing()
        self._reader_clock.stop()
        if self.transport.is_closing():
            self._expect_reading()
        elif self._is_servers_turn():
            self._admission.work(self)

    # --- the parser ---

    def on_message_begin(self) -> None:
        """Note that the first byte of a request has come."""
        super().on_message_begin()
        self._in_request = True

    def on_headers_complete(self) -> None:
        """Refuse what is too large by its own account, else begin to answer."""
        self._in_head = False
        size = self._size_of_head()
        self._accounted += size
        if self._refused:
            return
        if size > MOST_HEAD:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif any(name == b"content-length" and int(value) > MOST_BODY for name, value in self.headers):
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self.parser.should_upgrade() or self._should_upgrade():
            super().on_headers_complete()
            if len(self.pipeline) > MOST_PIPELINED:
                self.refuse(HTTPStatus.BAD_REQUEST)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._accounted += len(body)
        self._body_size += len(body)
        if self._refused:
            return
        if self._body_size > MOST_BODY:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Let the server work, or wait for the next request where the answer was given before all had come."""
        if self._refused or self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_head, self._in_request = True, False
        self._head_size = self._body_size = self._framed_size = 0
        self._request_clock.stop()
        if self.cycle.response_complete:
            self._request_clock.start(settings.WS_HANDSHAKE_TIMEOUT)
        else:
            self._admission.work(self)

    def _size_of_head(self) -> int:
        """Return the bytes of a head, as most clients write it."""
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers) + len("\r\n")

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            if not self._refused:
                self._upgrade(data[exc.args[0] :])
        except httptools.HttpParserError:
            if not self._refused:
                self.send_400_response("Invalid HTTP request received.")

    def _upgrade(self, rest: bytes) -> None:
        """Hand the connection over to the WebSocket; answer a request for any other protocol as if it named none.

        RFC 9110, 7.8: a server may ignore an upgrade. Java's client offers `h2c` with its first request.
        """
        if self._should_upgrade():
            self._request_clock.stop()
            self._admission.leave(self)
            self.handle_websocket_upgrade()
            # as uvicorn does at the end: they refer to each other, and would stay until Python looks for cycles
            self.parser = None  # type: ignore[assignment]
        elif not any(name == b"upgrade" for name, _ in self.headers):  # CONNECT
            self.send_400_response("Invalid HTTP request received.")
        else:
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self._feed(head + rest)

    def _head_without_upgrade(self) -> bytes:
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        version = self.parser.get_http_version().encode()
        return b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, b"".join(kept))

    # --- answers ---

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the client to take the answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._admission.wait(self)
            self._expect_reading()
        elif self.cycle.response_complete:
            self._admission.wait(self)

    def timeout_keep_alive_handler(self) -> None:
        """Close when no further request has come."""
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def evict(self) -> None:
        """Close at once, in favour of another connection."""
        if self.transport.get_write_buffer_size():
            self._abort()
        else:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
            self.transport.close()

    def refuse(self, status: HTTPStatus) -> None:
        """Answer the request that is coming in with an error, and close when the client has had time to read it."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._request_clock.stop()
        if self._may_answer():
            self._answer(status, f"{status.phrase}.")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(LINGER, self._abort)

    def _answer(self, status: HTTPStatus, message: str, retry_after: int | None = None) -> None:
        metrics.answered(status)
        self.transport.write(answer(status, message, retry_after=retry_after))

    def _may_answer(self) -> bool:
        """Whether what we write now is the answer to the request that is coming in, and not within another one."""
        if self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body and self._in_request):
            return True
        return self.cycle.more_body and not self.cycle.response_started and not self.pipeline

    # --- clocks ---

    def _time_is_up(self) -> None:
        if self._is_servers_turn():
            self._request_clock.start(settings.WS_HANDSHAKE_TIMEOUT)
        else:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _is_servers_turn(self) -> bool:
        """Whether the server itself does not read, or still works on a request that has come whole."""
        cycle = self.cycle
        return self.flow.read_paused or (cycle is not None and not cycle.more_body and not cycle.response_complete)

    def _expect_reading(self) -> None:
        """Give the client `WS_WRITE_TIMEOUT` to take at least some of what is written."""
        if not self._reader_clock.is_running:
            self._unread = self.transport.get_write_buffer_size()
            self._reader_clock.start(settings.WS_WRITE_TIMEOUT)

    def _look_what_is_unread(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread:
            self._expect_reading()
        else:
            self._abort()

    def _abort(self) -> None:
        transport: Any = self.transport  # uvloop's is no subclass of asyncio's
        transport.abort()


def answer(status: HTTPStatus, message: str, *, retry_after: int | None = None) -> bytes:
    """Return a whole HTTP answer that ends the connection: an error of the contract, as JSON."""
    code = ErrorCode.VALIDATION_FAILED if retry_after is None else ErrorCode.RATE_LIMIT
    body = encode({"code": code.value, "message": message})
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *([f"retry-after: {retry_after}"] if retry_after is not None else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
