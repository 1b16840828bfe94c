"""A network that can be cut: a small TCP proxy before a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Network:
    """Carries bytes both ways, until it is told not to."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._words_pass, self._answers_pass = asyncio.Event(), asyncio.Event()
        self.heal()
        self.url = ""

    def cut(self) -> None:
        """Lose all connections, without a goodbye, and let no new one through."""
        self._is_cut = True
        self._abort_all()

    def lose_answers(self) -> None:
        """From now on only what clients say passes; what the server says is lost with the next cut."""
        self._answers_pass.clear()

    def lose_what_is_said(self) -> None:
        """From now on only what the server says passes; what clients say is lost with the next cut."""
        self._words_pass.clear()

    def heal(self) -> None:
        """Carry again."""
        self._is_cut = False
        self._words_pass.set()
        self._answers_pass.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection from its beginning to its end."""
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        words, answers = (reader, far_writer, self._words_pass), (far_reader, writer, self._answers_pass)
        await asyncio.gather(self._pump(*words), self._pump(*answers))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        try:
            while data := await reader.read(65536):
                await gate.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def network_to(target: str) -> AsyncIterator[Network]:
    """A network to the server at `target`; its `url` is where clients connect."""
    network = Network(target)
    async with await asyncio.start_server(network.carry, "127.0.0.1", 0) as listening:
        network.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield network
        network.cut()
        network._words_pass.set()
        network._answers_pass.set()
