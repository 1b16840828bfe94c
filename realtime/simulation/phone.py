"""A phone: one WebSocket, commands with answers, and the notifications that come in."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

Data = dict[str, Any]
FrameLog = Callable[[str, str, Data], None]
"""Called with whose phone it is, `->` or `<-`, and the frame."""

Login = Callable[[], Awaitable[str]]
"""Returns an access token."""

ANSWER_TIMEOUT = 30.0
"""Seconds that an answer may take before the ride counts as failed."""

LATENCIES_KEPT = 10_000
"""Enough for the figures of a simulation, and little for a town that runs for weeks."""


class Refused(Exception):
    """The server answered a command with an error."""

    def __init__(self, data: Data) -> None:
        super().__init__(f"{data['code']}: {data['message']}")
        self.code: str = data["code"]
        self.retry_after: float = data.get("retry_after", 0)


class Phone:
    """A connection of one user.

    `on_frame` sees every notification; `latencies` are seconds from command to answer. Tokens come from `login`:
    the first one, and another whenever one is about to expire.
    """

    def __init__(self, name: str, url: str, login: Login, on_frame: Callable[[Data], None], log: FrameLog) -> None:
        self.name = name
        self.ready: Data = {}
        self.latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.clock_offset = timedelta()
        self._url, self._login, self._token = url, login, ""
        self._refreshing: asyncio.Task[None] | None = None
        self._on_frame, self._log = on_frame, log
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Data]] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._prefix = f"{time.time_ns():x}"

    async def open(self) -> None:
        """Connect, and wait for `session_ready`."""
        self._token = await self._login()
        self._socket = await self._connect()
        async with asyncio.timeout(ANSWER_TIMEOUT):
            frame = json.loads(await self._socket.recv())
        self._log(self.name, "<-", frame)
        self.ready = frame["data"]
        self.clock_offset = datetime.fromisoformat(self.ready["server_time"]) - datetime.now(UTC)
        self._reader = asyncio.create_task(self._read())

    async def _connect(self) -> ClientConnection:
        """Connect; where too many did before, when the server says so."""
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token}"}
                return await connect(self._url, additional_headers=headers, compression=None)
            except InvalidStatus as exc:
                if exc.response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
                await asyncio.sleep(float(exc.response.headers["Retry-After"]))

    async def close(self) -> None:
        """Hang up."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    async def do(self, command: str, **data: Any) -> Data:
        """Send a command and return the data of its `ack`; raise `Refused` for an error.

        A command over the rate limit is sent again when the server says so.
        """
        while True:
            try:
                return await self._ask(command, data)
            except Refused as exc:
                if exc.code != "RATE_LIMIT":
                    raise
                await asyncio.sleep(exc.retry_after)

    async def tell(self, command: str, **data: Any) -> None:
        """Send a command that needs no answer."""
        await self._send({"type": command, "data": data})

    def now(self) -> str:
        """Return the server's time as a timestamp of the contract."""
        return (datetime.now(UTC) + self.clock_offset).isoformat()

    async def _ask(self, command: str, data: Data) -> Data:
        command_id = f"{self._prefix}-{next(self._numbers)}"
        answer: asyncio.Future[Data] = asyncio.get_running_loop().create_future()
        self._answers[command_id] = answer
        asked_at = time.perf_counter()
        try:
            await self._send({"type": command, "data": data, "id": command_id})
            async with asyncio.timeout(ANSWER_TIMEOUT):
                frame = await answer
        finally:
            del self._answers[command_id]
        self.latencies.append(time.perf_counter() - asked_at)
        if frame["type"] == "error":
            raise Refused(frame["data"])
        result: Data = frame["data"]
        return result

    async def _refresh_token(self) -> None:
        token = await self._login()
        if token == self._token:
            return
        self._token = token
        with contextlib.suppress(Refused, ConnectionError, ConnectionClosed):
            await self.do("token_refresh", token=token)

    async def _send(self, frame: Data) -> None:
        assert self._socket is not None
        self._log(self.name, "->", frame)
        await self._socket.send(json.dumps(frame))

    async def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                frame: Data = json.loads(text)
                self._log(self.name, "<-", frame)
                if frame["type"] == "session_ready":
                    self.ready = frame["data"]
                elif frame["type"] == "token_expiring":
                    self._refreshing = asyncio.create_task(self._refresh_token())
                answer = self._answers.get(frame.get("id", ""))
                if answer is not None and not answer.done():
                    answer.set_result(frame)
                else:
                    self._on_frame(frame)
        self._on_frame({"type": "closed", "data": {"code": self._socket.close_code}})
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"{self.name} lost the connection"))
