"""One WebSocket, from the handshake to its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from nebengjek_client.backoff import retry_after
from nebengjek_client.errors import CommandTooLarge
from nebengjek_client.frames import Data, decode
from nebengjek_client.rest import http_url

OPEN_TIMEOUT = 10.0
"""Seconds that a handshake may take."""

ANSWER_TIMEOUT = 30.0
"""Seconds after which a connection on which no answer comes is taken for dead."""

PING_INTERVAL = 20.0
PING_TIMEOUT = 10.0
"""Seconds that the answer to a ping may take."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the other side has to answer our goodbye."""

Trace = Callable[[str, Data], object]
"""Called with `->` or `<-` and the frame, which shows no token."""


class ConnectionLost(Exception):
    """There is no connection (any more). `status` is that of HTTP where the handshake was refused."""

    def __init__(self, reason: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


def socket_url(url: str) -> str:
    """Return the address of a site's socket."""
    return re.sub(r"^http", "ws", http_url(url)) + "/ws/"


class Connection:
    """A socket, and the answers that are waited for on it."""

    def __init__(self, socket: ClientConnection, trace: Trace | None) -> None:
        self.max_size = 0
        """Bytes that a frame may have; 0 before the server has said it."""
        self.location_rate = 0.0
        """Positions a second that the server shows to others; 0 is no limit."""
        self._socket, self._trace = socket, trace
        self._answers: dict[str, asyncio.Future[Data]] = {}

    @classmethod
    async def open(cls, url: str, access: str, resume: str | None, trace: Trace | None) -> Connection:
        """Connect. Raises `ConnectionLost`."""
        address = socket_url(url) + (f"?resume={resume}" if resume else "")
        try:
            socket = await connect(
                address,
                additional_headers={"Authorization": f"Bearer {access}"},
                compression=None,
                open_timeout=OPEN_TIMEOUT,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
            )
        except InvalidStatus as exc:
            status = exc.response.status_code
            wait = retry_after(exc.response.headers.get("Retry-After"))
            reason = f"The handshake was answered with {_status_text(status)}."
            raise ConnectionLost(reason, status=status, retry_after=wait) from exc
        except (OSError, TimeoutError, WebSocketException) as exc:
            raise ConnectionLost(f"{address.partition('?')[0]}: {exc or type(exc).__name__}") from exc
        return cls(socket, trace)

    @property
    def code(self) -> int | None:
        """The close code, when it is closed; 1006 where the network ended it."""
        return self._socket.close_code

    @property
    def reason(self) -> str:
        """What can be said about the end."""
        return self._socket.close_reason or f"The connection ended with {self.code}."

    async def send(self, text: str) -> None:
        """Send a frame. Raises `CommandTooLarge`, `ConnectionLost`."""
        size = len(text.encode())
        if 0 < self.max_size < size:
            raise CommandTooLarge(f"The frame has {size} bytes; the server takes {self.max_size}.")
        if self._trace is not None:
            self._trace("->", _shown(json.loads(text)))
        try:
            await self._socket.send(text)
        except ConnectionClosed as exc:
            raise ConnectionLost(self.reason) from exc

    async def ask(self, text: str, command_id: str) -> Data:
        """Send a command and return the frame of its answer, `ack` or `error`.

        Raises `ConnectionLost`; so does a connection on which nothing comes for `ANSWER_TIMEOUT`, which is cut.
        """
        answer: asyncio.Future[Data] = asyncio.get_running_loop().create_future()
        self._answers[command_id] = answer
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self.send(text)
                return await answer
        except TimeoutError:
            self.cut()
            raise ConnectionLost(f"No answer came for {ANSWER_TIMEOUT:g} s.") from None
        finally:
            del self._answers[command_id]

    async def frames(self) -> AsyncGenerator[Data, None]:
        """Yield what comes and is no answer, until the connection ends."""
        try:
            async for text in self._socket:
                frame = decode(text)
                if frame is None:
                    continue
                if self._trace is not None:
                    self._trace("<-", frame)
                if not self._answered(frame):
                    yield frame
        except ConnectionClosed:
            pass
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionLost(self.reason))
                    waiting.exception()  # known, also where nobody waits any more

    def cut(self) -> None:
        """End it without a word: there is nobody who would hear it."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close()

    def _answered(self, frame: Data) -> bool:
        """Hand an answer to who waits for it; return whether the frame was an answer, be it too late."""
        waiting = self._answers.get(str(frame.get("id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)
        return frame.get("id") is not None


def _shown(frame: Data) -> Data:
    """Return a frame without what is nobody else's business."""
    return {**frame, "data": {"token": "…"}} if frame["type"] == "token_refresh" else frame


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
