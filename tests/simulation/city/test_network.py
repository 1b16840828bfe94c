from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from devservers.process import free_port
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
    except OSError:
        return b""
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_network_is_cut_and_comes_back() -> None:
    """What is under way is lost with a cut, nobody gets through while it lasts, and afterwards all do."""
    async with echoing() as url, Network(url) as network:
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


async def test_the_phones_of_a_server_that_died_go_to_all_others() -> None:
    """Not all to the next one, which would have them all from then on."""
    callers: list[list[str]] = [[], []]
    async with echoing(callers[0]) as first, echoing(callers[1]) as second, AsyncExitStack() as stack:
        urls = (f"http://127.0.0.1:{free_port()}", first, second)
        phones = [await stack.enter_async_context(Network(*urls)) for _ in range(60)]
        assert {await ask(phone.url, b"hello") for phone in phones} == {b"hello"}
    assert min(map(len, callers)) > 10
    assert sum(map(len, callers)) == 60


@asynccontextmanager
async def echoing(callers: list[str] | None = None) -> AsyncIterator[str]:
    """A server that says back what it hears; this is its address. It notes who calls."""
    tasks: list[asyncio.Task[None]] = []

    def take_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if callers is not None:
            callers.append(str(writer.get_extra_info("peername")))
        tasks.append(asyncio.create_task(echo(reader, writer)))

    server = await asyncio.start_server(take_call, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*tasks)


async def test_a_phone_sleeps() -> None:
    """While the phone sleeps everything waits, and the call lives; nothing is lost."""
    async with echoing() as url, Network(url) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(network.url.rpartition(":")[2]))
        writer.write(b"a")
        assert await reader.read(1) == b"a"
        network.sleep(0.2)
        writer.write(b"b")
        begun = time.monotonic()
        assert await reader.read(1) == b"b"
        assert time.monotonic() - begun >= 0.15
        assert (network.naps, network.cuts) == (1, 0)
        await hang_up(writer)


async def test_calls_go_to_whoever_takes_them() -> None:
    """A server that refuses a call is passed over; much that is said at once comes through whole."""
    async with echoing() as url, Network("http://127.0.0.1:1", url) as network:
        much = b"x" * 300_000
        assert await asyncio.gather(*(ask(network.url, much) for _ in range(6))) == [much] * 6


async def test_a_server_that_is_away_ends_the_call() -> None:
    """Where no server listens the call ends, and the network goes on."""
    async with Network("http://127.0.0.1:1") as network:
        assert [await ask(network.url, b"hello") for _ in range(2)] == [b"", b""]


def test_only_http() -> None:
    """An address with TLS is refused."""
    with pytest.raises(ValueError, match="only http"):
        Network("https://example.org")
