"""The mobile network of one phone: passes everything on to the server, until it is cut."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK = 65536


class Network:
    """A relay on the loopback for one phone to the server at `url` (http only); `self.url` is where the phone calls."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"The phones of the city reach only http addresses, not {url}.")
        self.url = ""
        self.cuts = 0
        self._host, self._port = parts.hostname, parts.port or 80
        self._down_until = 0.0
        self._server: asyncio.Server | None = None
        self._calls: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._call, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._down_until = float("inf")
        self._break_off()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def cut(self, seconds: float) -> None:
        """Lose everything that is under way, and let nobody through for so long."""
        self.cuts += 1
        self._down_until = time.monotonic() + seconds
        self._break_off()

    def _break_off(self) -> None:
        for writers in self._calls.values():
            for writer in writers:
                writer.transport.abort()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        assert call is not None
        self._calls[call] = ends = [writer]
        try:
            if time.monotonic() >= self._down_until:
                await self._connect(reader, ends)
        except OSError:
            pass  # one of both ends has gone; the other one notices
        finally:
            del self._calls[call]
            await _hang_up(writer)

    async def _connect(self, reader: asyncio.StreamReader, ends: list[asyncio.StreamWriter]) -> None:
        (writer,) = ends
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        if time.monotonic() < self._down_until:  # cut meanwhile
            await _hang_up(server_writer)
            return
        ends.append(server_writer)
        back = asyncio.create_task(_pass_on(server_reader, writer))
        try:
            await _pass_on(reader, server_writer)
            await back
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            await _hang_up(server_writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()
