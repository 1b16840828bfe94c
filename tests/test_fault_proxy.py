"""The proxy of the fault tests, tried on a server that echoes."""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator

import pytest

from tests.fault_proxy import CLOSING, FaultProxy
from tests.patience import within

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


opened: list[asyncio.StreamWriter] = []


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """The proxy before an echo; all connections end with the test."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    running = FaultProxy(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(running.__enter__)
    yield running
    while opened:
        opened.pop().close()
    await asyncio.to_thread(running.__exit__)
    server.close()
    await asyncio.sleep(CLOSING)


async def connect(proxy: FaultProxy) -> Pair:
    pair = await asyncio.open_connection("127.0.0.1", proxy.port)
    opened.append(pair[1])
    return pair


async def said(pair: Pair, word: bytes) -> bytes:
    """Return what comes back; nothing where the connection was cut, or is silent."""
    pair[1].write(word)
    try:
        async with asyncio.timeout(0.3):
            return await pair[0].read(1000)
    except (TimeoutError, OSError):
        return b""


async def test_what_is_frozen_comes_later(proxy: FaultProxy) -> None:
    pair = await connect(proxy)
    assert await said(pair, b"one") == b"one"
    await asyncio.to_thread(proxy.freeze)
    assert await said(pair, b"two") == b""
    late = await connect(proxy)
    assert await said(late, b"three") == b""
    await asyncio.to_thread(proxy.thaw)
    async with within():
        assert await pair[0].read(1000) == b"two"
        assert await late[0].read(1000) == b"three"


async def test_what_is_dropped_never_comes(proxy: FaultProxy) -> None:
    """Healed, the connection is cut: half of what was said on it is gone."""
    pair = await connect(proxy)
    assert await said(pair, b"one") == b"one"
    await asyncio.to_thread(proxy.drop)
    assert await said(pair, b"two") == b""
    await asyncio.to_thread(proxy.heal)
    assert await said(pair, b"three") == b""
    assert await said(await connect(proxy), b"four") == b"four"


async def test_a_connection_is_cut_after_so_many_bytes(proxy: FaultProxy) -> None:
    pair = await connect(proxy)
    await asyncio.to_thread(proxy.cut_after, 5)
    assert await said(pair, b"12345678") == b"12345"
    assert await said(pair, b"9") == b""


async def test_one_answer_is_lost(proxy: FaultProxy) -> None:
    """The server has had the request; the next connection is well."""
    pair = await connect(proxy)
    await asyncio.to_thread(proxy.lose_answer_to, b"COMMIT")
    assert await said(pair, b"BEGIN") == b"BEGIN"
    assert await said(pair, b"COMMIT") == b""
    assert proxy.losses == 1
    assert await said(await connect(proxy), b"COMMIT") == b"COMMIT"


async def test_it_leads_to_another_server(proxy: FaultProxy) -> None:
    """Who is connected is cut off, as the server that was there is gone."""
    pair = await connect(proxy)
    assert await said(pair, b"one") == b"one"

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while await reader.read(1000):
                writer.write(b"other")

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    await asyncio.to_thread(proxy.redirect, other.sockets[0].getsockname()[1])
    assert await said(pair, b"two") == b""
    assert await said(await connect(proxy), b"three") == b"other"
    other.close()


async def test_a_delay_holds_each_way(proxy: FaultProxy) -> None:
    pair = await connect(proxy)
    await asyncio.to_thread(proxy.delay, 0.1)
    began = asyncio.get_running_loop().time()
    assert await said(pair, b"one") == b"one"
    assert asyncio.get_running_loop().time() - began >= 0.2


def test_the_url_of_a_server_leads_through_it() -> None:
    proxy = FaultProxy(1)
    proxy.port = 77
    assert proxy.url("postgres://user:word@127.0.0.1:5432/name") == "postgres://user:word@127.0.0.1:77/name"
    assert proxy.url("nats://127.0.0.1:4222") == "nats://127.0.0.1:77"


def test_connections_of_the_last_moment_end() -> None:
    """What is taken while the proxy closes is closed as well; else a later test would be told of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(10):
            with FaultProxy(server.getsockname()[1]) as proxy, contextlib.ExitStack() as clients:
                proxy._loop.call_soon_threadsafe(time.sleep, 0.02)  # so that all are taken when it is told to close
                for _ in range(20):
                    clients.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))
    gc.collect()  # pytest fails with what is unclosed
