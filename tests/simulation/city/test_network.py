from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from simulation.city.network import Network


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
        await reader.read()
    await hang_up(writer)


async def ask(url: str, word: bytes) -> bytes:
    """Return what comes back; nothing, where the connection ends without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        writer.write(word)
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_network_is_cut_and_comes_back() -> None:
    """What is under way is lost with a cut, nobody gets through while it lasts, and afterwards all do."""
    echoes: list[asyncio.Task[None]] = []

    def take_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echoes.append(asyncio.create_task(echo(reader, writer)))

    server = await asyncio.start_server(take_call, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Network(f"http://127.0.0.1:{port}") as network:
        assert await ask(network.url, b"hello") == b"hello"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(network.url.rpartition(":")[2]))
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        network.cut(60)
        assert await reader.read(1) == b""
        await hang_up(writer)
        assert await ask(network.url, b"hello") == b""
        network.cut(0)
        assert await ask(network.url, b"again") == b"again"
        assert network.cuts == 2
    await asyncio.gather(*echoes)


async def test_a_server_that_is_away_ends_the_call() -> None:
    """Where no server listens the call ends, and the network goes on."""
    async with Network("http://127.0.0.1:1") as network:
        assert [await ask(network.url, b"hello") for _ in range(2)] == [b"", b""]


def test_only_http() -> None:
    """An address with TLS is refused."""
    with pytest.raises(ValueError, match="only http"):
        Network("https://example.org")
