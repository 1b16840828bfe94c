"""Clients that send a request slowly, without end, or read no answer."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from realtime.server.http_protocol import MOST_BODY, MOST_HEAD, MOST_PIPELINED
from tests.patience import within
from tests.realtime.server.conftest import serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LATE = timedelta(milliseconds=300)


class Client:
    """A TCP connection that sends what it is told to, and keeps what it receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, host: str) -> Client:
        """Connect to `host:port`."""
        name, port = host.split(":")
        return cls(*await asyncio.open_connection(name, int(port)))

    async def answers(self) -> list[tuple[int, Any]]:
        """Read until the server closes; return status and body of each answer."""
        async with within():
            data = await self.reader.read()
        self.writer.close()
        found = []
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body, data = data[:length], data[length:]
            found.append((int(head.split(b" ")[1]), json.loads(body) if body.startswith(b"{") else len(body)))
        return found

    async def drip(self, piece: bytes) -> None:
        """Send this again and again, for as long as the server listens."""
        try:
            while True:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass


async def ask(host: str, *data: bytes) -> list[tuple[int, Any]]:
    """Send this, and return all answers."""
    client = await Client.connect(host)
    for piece in data:
        client.writer.write(piece)
    return await client.answers()


async def drip(host: str, beginning: bytes, piece: bytes) -> list[tuple[int, Any]]:
    """Send a beginning, then drip; return all answers."""
    client = await Client.connect(host)
    client.writer.write(beginning)
    dripping = asyncio.create_task(client.drip(piece))
    try:
        return await client.answers()
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


def post(length: int, body: bytes = b"", extra: bytes = b"") -> bytes:
    """Return a request with a body, or the beginning of one."""
    return b"POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (extra, length, body)


CLOSING = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


# --- slow ---


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"", b"\r\n"),
        (b"GET /", b"x"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (post(100_000), b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"0\r\n", b"X-A: b\r\n"),
    ],
    ids=["nothing", "line", "headers", "body", "chunks", "trailers"],
)
async def test_slow_requests_are_given_up(host: str, settings: Any, beginning: bytes, piece: bytes) -> None:
    """A request that is not whole after `WS_HANDSHAKE_TIMEOUT` is answered 408, however often some of it comes."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    [(status, error)] = await drip(host, beginning, piece)
    assert status == 408
    assert error == {"code": "VALIDATION_FAILED", "message": "Request Timeout."}


@pytest.mark.parametrize(
    ("beginning", "piece", "statuses"),
    [(b"", b"\r\n", [200]), (b"GET /", b"x", [200, 408]), (post(100_000), b"x", [200, 408])],
    ids=["nothing", "line", "body"],
)
async def test_slow_further_requests_are_given_up(
    host: str, settings: Any, beginning: bytes, piece: bytes, statuses: list[int]
) -> None:
    """The second request on a connection has no more time than the first; what has not begun gets no answer."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    answers = await drip(host, GET + beginning, piece)
    assert [status for status, _ in answers] == statuses


async def test_what_is_answered_early_is_answered_once(host: str, settings: Any) -> None:
    """A body that drips on after its request was answered gets no second answer, and no more time."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    answers = await drip(host, post(100_000).replace(b"/ ", b"/early/ ", 1), b"x")
    assert [status for status, _ in answers] == [200]


async def test_what_is_answered_early_ends_too(host: str, settings: Any) -> None:
    """A connection is closed when it is idle also where the answer came before the rest of the request."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    client = await Client.connect(host)
    client.writer.write(post(3).replace(b"/ ", b"/early/ ", 1))
    async with within():
        await client.reader.readuntil(b"}")
        client.writer.write(b"abc")
        assert await client.reader.read() == b""
    client.writer.close()


async def test_a_silent_connection_is_given_up(host: str, settings: Any) -> None:
    """A client that connects and says nothing is answered 408."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    assert [status for status, _ in await ask(host)] == [408]


async def test_the_server_may_take_its_time(host: str, settings: Any) -> None:
    """The clock of a request stops when it has come whole; the one behind it waits for the answer."""
    settings.WS_HANDSHAKE_TIMEOUT = LATE
    client = await Client.connect(host)
    client.writer.write(b"GET /never/ HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
    for _ in range(3):  # as long as three more clients are given up
        assert [status for status, _ in await ask(host)] == [408]
    client.writer.write(b"TP/1.1\r\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            assert await client.reader.read() != b""
    client.writer.close()


# --- large ---


@pytest.mark.parametrize(
    ("beginning", "piece", "status"),
    [
        (b"GET /", b"x" * 5000, 431),
        (b"GET / HTTP/1.1\r\nX-A: ", b"x" * 5000, 431),
        (b"GET / HTTP/1.1\r\n", b"X-A: %s\r\n" % (b"x" * 5000), 431),
        (b"\r\n", b"\r\n" * 2500, 431),
        (CHUNKED, b"1388\r\n%s\r\n" % (b"x" * 5000), 413),
        (CHUNKED, b"1\r\nx\r\n" * 5000, 413),
        (CHUNKED + b"0\r\n", b"X-A: %s\r\n" % (b"x" * 5000), 413),
    ],
    ids=["line", "header", "headers", "nothing", "chunks", "tiny-chunks", "trailers"],
)
async def test_endless_requests_are_refused(
    host: str, settings: Any, beginning: bytes, piece: bytes, status: int
) -> None:
    """What has no end is refused for its size, long before its time is up."""
    settings.WS_HANDSHAKE_TIMEOUT = timedelta(hours=1)
    client = await Client.connect(host)

    async def send() -> None:
        client.writer.write(beginning)
        while True:
            client.writer.write(piece)
            await client.writer.drain()

    sending = asyncio.create_task(send())
    answers = await client.answers()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert [number for number, _ in answers] == [status]


async def test_a_large_head_is_refused_at_once(host: str) -> None:
    """A head that comes whole may not be larger than one that comes in pieces."""
    [(status, _)] = await ask(host, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: %s\r\n\r\n" % (b"x" * MOST_HEAD))
    assert status == 431


async def test_a_large_head_that_is_allowed_is_answered(host: str) -> None:
    """Cookies of 60 kB are no reason to refuse a request."""
    [(status, _)] = await ask(host, CLOSING[:-2] + b"Cookie: %s\r\n\r\n" % (b"x" * 60_000))
    assert status == 200


async def test_a_large_body_is_refused_by_its_length(host: str) -> None:
    """A body that says that it is too large is refused before any of it has come, also with `Expect: 100-continue`."""
    for extra in (b"", b"Expect: 100-continue\r\n"):
        assert [status for status, _ in await ask(host, post(MOST_BODY + 1, extra=extra))] == [413]


async def test_a_large_body_is_refused_by_its_chunks(host: str) -> None:
    """A body that does not say how large it is may be no larger for that."""
    chunk = b"4000\r\n%s\r\n" % (b"x" * 0x4000)
    whole = CHUNKED + chunk * (MOST_BODY // 0x4000) + b"1\r\nx\r\n0\r\n\r\n"
    assert [status for status, _ in await ask(host, whole)] == [413]


async def test_who_sends_a_large_body_reads_the_answer(host: str) -> None:
    """A client that sends all of a refused body before it reads gets the answer and not a reset."""
    assert [status for status, _ in await ask(host, post(20 * MOST_BODY), b"x" * (5 * MOST_BODY))] == [413]


async def test_the_largest_body_is_taken(host: str) -> None:
    """A body of `MOST_BODY` bytes is taken, by its length and in chunks."""
    body = b"x" * MOST_BODY
    chunks = b"".join(b"4000\r\n%s\r\n" % body[start : start + 0x4000] for start in range(0, MOST_BODY, 0x4000))
    client = await Client.connect(host)
    client.writer.write(post(MOST_BODY, body) + CHUNKED + chunks + b"0\r\n\r\n" + CLOSING)
    answers = await client.answers()
    assert [(status, len(asked["body"])) for status, asked in answers] == [(200, MOST_BODY)] * 2 + [(200, 0)]


async def test_sizes_count_by_request(host: str) -> None:
    """Many requests on one connection may together be larger than one may be."""
    one = post(60_000, b"x" * 60_000, extra=b"Cookie: %s\r\n" % (b"x" * 60_000))
    client = await Client.connect(host)
    cookies = GET[:-2] + b"Cookie: %s\r\n\r\n" % (b"x" * 60_000)
    for request in [one] * (2 * MOST_BODY // len(one)) + [cookies] * 5 + [GET] * 3000:
        client.writer.write(request)
        await client.reader.readuntil(b"}")
    client.writer.write(CLOSING)
    assert [status for status, _ in await client.answers()] == [200]


async def test_pipelined_requests_are_bounded(host: str) -> None:
    """A connection on which requests pile up is closed; a few are answered in turn."""
    assert [status for status, _ in await ask(host, GET * MOST_PIPELINED + CLOSING)] == [200] * (MOST_PIPELINED + 1)
    never = b"GET /never/ HTTP/1.1\r\nHost: x\r\n\r\n"
    assert await ask(host, never + GET * 1000) == []


# --- who does not read ---


async def test_unread_answers_are_thrown_away(host: str, settings: Any) -> None:
    """A client that takes nothing of an answer for `WS_WRITE_TIMEOUT` is cut off."""
    settings.WS_WRITE_TIMEOUT = LATE
    for request in (b"GET /large/?20000000 HTTP/1.1\r\nHost: x\r\n\r\n", CLOSING.replace(b"/ ", b"/large/?20000000 ")):
        client = await Client.connect(host)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(request)
        other = await ask(host, CLOSING.replace(b"/ ", b"/large/?20000000 "))
        assert other == [(200, 20_000_000)]
        async with within():
            while not await is_reset(client):
                await asyncio.sleep(0.05)


async def is_reset(client: Client) -> bool:
    """Whether the connection was cut: sending fails after the first try that the other side has answered."""
    try:
        client.writer.write(b"x")
        await client.writer.drain()
    except ConnectionError:
        return True
    return client.writer.is_closing()


async def test_slow_readers_get_their_answer(host: str, settings: Any) -> None:
    """A client that reads slowly, but reads, gets the whole answer, however long that takes."""
    settings.WS_WRITE_TIMEOUT = LATE
    client = await Client.connect(host)
    client.writer.write(CLOSING.replace(b"/ ", b"/large/?12000000 "))
    read = 0
    async with within():
        while data := await client.reader.read(2**18):
            read += len(data)
            await asyncio.sleep(0.02)
    assert read > 12_000_000
    client.writer.close()


# --- upgrades ---


@pytest.mark.parametrize("version", [b"h2c", b"H2C", b"TLS/1.0, HTTP/2.0"])
async def test_unknown_upgrades_are_ignored(host: str, version: bytes) -> None:
    """A request that offers another protocol is answered as any other, and so is the next (RFC 9110, 7.8)."""
    extra = b"Upgrade: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n" % version
    client = await Client.connect(host)
    client.writer.write(post(7, b"the", extra=extra))
    await asyncio.sleep(0)
    client.writer.write(b" end" + CLOSING)
    [(_, first), (_, second)] = await client.answers()
    assert (first["method"], first["body"], second["method"]) == ("POST", "the end", "GET")


async def test_no_tunnels(host: str) -> None:
    """`CONNECT` is refused: this is no proxy."""
    assert [status for status, _ in await ask(host, b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")] == [400]


async def test_limits_are_read_when_a_server_starts(settings: Any) -> None:
    """With room for one unknown connection from an address, the one that keeps silent makes room for the next."""
    settings.MAX_UNKNOWN_PER_ADDRESS = 1
    async with serving() as host:
        silent = await Client.connect(host)
        assert [status for status, _ in await ask(host, CLOSING)] == [200]
        assert [status for status, _ in await silent.answers()] == [408]
