"""A proxy that makes a server half dead: it freezes, delays, drops or cuts what passes, or loses an answer.

    with FaultProxy(server.port) as proxy:
        … # a client of 127.0.0.1:proxy.port
        proxy.freeze()
        proxy.thaw()

It works on bytes, so for Redis, PostgreSQL and NATS alike. It runs in a thread of its own; its methods may be called
from any other one, and have taken effect when they return.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

R = TypeVar("R")

CHUNK = 65536
PATIENCE = 10.0
"""Seconds for the proxy itself."""

CLOSING = 0.05
"""Seconds for transports that were closed to end before their loop does."""


class FaultProxy:
    """Passes bytes between clients and a server on this machine, well or badly."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.losses = 0
        """Answers that were lost so far."""

        self._target = port
        self._delay = 0.0
        self._left: int | None = None
        self._losing = b""
        self._drops = False
        self._is_closing = False
        self._flowing = asyncio.Event()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def url(self, url: str) -> str:
        """Return the URL of the server with this proxy's port."""
        parts = urlsplit(url)
        account, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{account}{at}127.0.0.1:{self.port}"))

    def freeze(self) -> None:
        """Pass nothing on, and keep all connections open; new ones are taken, and hear nothing."""
        self._call(self._flowing.clear)

    def thaw(self) -> None:
        """Pass on what has waited."""
        self._call(self._flowing.set)

    def delay(self, seconds: float) -> None:
        """Pass each piece on so much later, in either direction."""
        self._call(lambda: setattr(self, "_delay", seconds))

    def drop(self) -> None:
        """Throw everything away, as a firewall does; connections stay open."""
        self._call(lambda: setattr(self, "_drops", True))

    def cut_after(self, count: int) -> None:
        """Cut each connection of which so many bytes of the server have come from now on, all together."""
        self._call(lambda: setattr(self, "_left", count))

    def lose_answer_to(self, word: bytes) -> None:
        """Pass the next request with this word on, and cut the connection instead of passing its answer back."""
        self._call(lambda: setattr(self, "_losing", word))

    def cut(self) -> None:
        """Cut all connections now."""
        self._call(self._cut_all)

    def redirect(self, port: int) -> None:
        """Lead to another server from now on, as an address does after a failover; all connections are cut."""

        def turn() -> None:
            self._target = port
            self._cut_all()

        self._call(turn)

    def heal(self) -> None:
        """Pass everything on again; connections of which something was dropped are cut, as they are of no use."""

        def reset() -> None:
            if self._drops:
                self._cut_all()
            self._delay, self._left, self._losing, self._drops = 0.0, None, b"", False
            self._flowing.set()

        self._call(reset)

    def _call(self, work: Callable[[], R]) -> R:
        async def run() -> R:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    async def _open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server
        self._is_closing = True
        for listening in self._server.sockets:  # to close them now would lose connections that are just being taken
            self._loop.remove_reader(listening.fileno())
        self._cut_all()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(CLOSING)
        self._server.close()

    def _cut_all(self) -> None:
        for pair in tuple(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        if self._is_closing:  # taken at the last moment
            writer.transport.abort()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError), contextlib.closing(writer):
                await self._pass_on(reader, writer)
        except asyncio.CancelledError:  # by `_close`; asyncio would call a cancelled handler an error
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        with contextlib.closing(inner_writer):  # also when we are cancelled while both ways end
            pair = writer, inner_writer
            self._pairs.add(pair)
            losing = asyncio.Event()
            ways = [
                asyncio.create_task(self._copy_requests(reader, inner_writer, losing)),
                asyncio.create_task(self._copy_answers(inner_reader, writer, losing)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._pairs.discard(pair)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _copy_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await self._read(reader):
            if self._losing and self._losing in data:
                self._losing = b""
                losing.set()
            writer.write(data)
            await writer.drain()

    async def _copy_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await self._read(reader):
            if losing.is_set():
                self.losses += 1
                return
            writer.write(self._within_limit(data))
            await writer.drain()
            if self._left == 0:
                return

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        while True:
            data = await reader.read(CHUNK)
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flowing.wait()
            if not self._drops or not data:
                return data

    def _within_limit(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        passed = data[: self._left]
        self._left -= len(passed)
        return passed
