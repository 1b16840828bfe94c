"""The WebSocket client of benchmarks and tests, written from the contract.

It shares no code with the product's own client (`clients/python`), so that a mistake in that one cannot hide a mistake
of the server.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from devservers.patience import TIMEOUT

Frame = dict[str, Any]
T = TypeVar("T")


class BaseClient(ABC):
    """One connection, whatever carries it. A task reads frames as they come and keeps all of them in `frames`.

    Where `on_frame` is given, it takes the frames instead, and only `say` and `send` are of use.

    Reason for its size: tests say everything that a person does with one object.
    """

    def __init__(self, on_frame: Callable[[Frame], object] | None = None) -> None:
        self.frames: list[Frame] = []
        self._on_frame = on_frame or self._keep
        self._unread: deque[Frame] = deque()
        self._ids = itertools.count()
        self._name = secrets.token_hex(6)
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @abstractmethod
    async def send(self, text: str) -> None:
        """Send a text message as it is."""

    @abstractmethod
    async def receive(self) -> str | None:
        """Return the next text message, or None when the connection has ended."""

    @property
    @abstractmethod
    def close_code(self) -> int | None:
        """The code with which the connection was closed; None while it is open."""

    async def say(self, kind: str, command_id: str | None = None, /, **data: Any) -> None:
        """Send a command."""
        frame: Frame = {"type": kind, "data": data}
        if command_id is not None:
            frame["id"] = command_id
        await self.send(json.dumps(frame))

    async def do(self, kind: str, command_id: str | None = None, /, **data: Any) -> Frame:
        """Send a command and return its answer; frames that come before the answer wait for `next`."""
        answer_id = command_id or f"{self._name}-{next(self._ids)}"
        already = len(self.frames)
        await self.say(kind, answer_id, **data)
        answer = await self._first(lambda: (f for f in self.frames[already:] if f.get("id") == answer_id))
        self._unread.remove(answer)
        return answer

    async def next(self, kind: str | None = None) -> Frame:
        """Return the next frame, or the next one of a type; frames before it are skipped."""

        def unread() -> Any:
            while self._unread:
                yield self._unread.popleft()

        return await self._first(lambda: (frame for frame in unread() if kind in (None, frame["type"])))

    async def data_of(self, kind: str) -> Any:
        """Return the data of the next frame of a type; frames before it are skipped."""
        return (await self.next(kind))["data"]

    async def find(self, wanted: Callable[[Frame], object]) -> Frame:
        """Return the first frame of all, old or new, that is wanted."""
        return await self._first(lambda: (frame for frame in self.frames if wanted(frame)))

    async def hears_nothing(self, seconds: float) -> bool:
        """Wait, and return whether no frame came that `next` has not returned."""
        await asyncio.sleep(seconds)
        return not self._unread

    async def closed_with(self) -> int | None:
        """Wait for the end of the connection, and return the close code."""
        async with asyncio.timeout(TIMEOUT):
            await self.ended()
        return self.close_code

    async def ended(self) -> None:
        """Wait for the end of the connection, however long that takes."""
        assert self._reader is not None
        await self._reader

    @property
    def numbers(self) -> list[int]:
        """The `seq` of all notifications, in the order in which they came."""
        return [frame["seq"] for frame in self.frames if "seq" in frame]

    def _start_reading(self) -> None:
        self._reader = asyncio.create_task(self._read_all())

    def _keep(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._unread.append(frame)
        self._news.set()

    async def _read_all(self) -> None:
        try:
            while (text := await self.receive()) is not None:
                self._on_frame(json.loads(text))
        finally:
            self._news.set()

    async def _first(self, candidates: Callable[[], Any]) -> Frame:
        assert self._reader is not None
        async with asyncio.timeout(TIMEOUT):
            while (found := next(candidates(), None)) is None:
                if self._reader.done():
                    self._reader.result()  # raises what has ended it
                    raise ConnectionError(f"The connection was closed with {self.close_code}.")
                self._news.clear()
                await self._news.wait()
        frame: Frame = found
        return frame


class Client(BaseClient):
    """A connection over TCP."""

    def __init__(self, socket: ClientConnection, on_frame: Callable[[Frame], object] | None = None) -> None:
        super().__init__(on_frame)
        self.socket = socket
        self._start_reading()

    @classmethod
    async def connect(
        cls, url: str, token: str, query: str = "", on_frame: Callable[[Frame], object] | None = None, **options: Any
    ) -> Self:
        """Connect to the server at an HTTP address, with a token in the header; `options` are those of `websockets`."""
        address = url.replace("http", "ws", 1) + "/ws/" + query
        headers = {"Authorization": f"Bearer {token}"}
        options = {"open_timeout": TIMEOUT, **options}
        return cls(await connect(address, additional_headers=headers, **options), on_frame)

    async def send(self, text: str) -> None:
        """Send a text message as it is."""
        await self.socket.send(text)

    async def receive(self) -> str | None:
        """Return the next text message, or None when the connection has ended."""
        try:
            return str(await self.socket.recv())
        except ConnectionClosed:
            return None

    @property
    def close_code(self) -> int | None:
        """The code with which the connection was closed; None while it is open."""
        return self.socket.close_code

    async def hang_up(self) -> None:
        """Close the connection."""
        await self.socket.close()
        await self.closed_with()

    def lose_network(self) -> None:
        """End the TCP connection without a closing frame."""
        self.socket.transport.abort()
