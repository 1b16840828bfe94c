"""Clients that flood a WebSocket with empty frames, read nothing, or sit behind a proxy that closes what is silent."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from realtime.server.websocket_protocol import FRAME_BURST, MOST_AFTER_CLOSE
from tests.patience import within
from tests.realtime.server.conftest import serving
from tests.stress.rawsocket import CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, frame, handshake

MOST_IN_BUFFERS = 64_000_000
"""Bytes: more than what both ends of a connection hold for each other, and less than what is sent in `CLOSE_GRACE`."""

SOON = timedelta(milliseconds=200)
LATER = timedelta(hours=1)


@pytest.fixture
async def raw(host: str) -> AsyncIterator[RawSocket]:
    """An open WebSocket of a server that echoes."""
    async with within():
        made = await RawSocket.open(host, "token")
        yield made
    made.close()


async def frame_of(raw: RawSocket) -> tuple[int, bytes]:
    """Return opcode and payload of the next frame, whatever it is; pings are not answered."""
    first, size = await raw.reader.readexactly(2)
    if size == 126:
        [size] = struct.unpack("!H", await raw.reader.readexactly(2))
    return first & 0xF, await raw.reader.readexactly(size)


async def closed(raw: RawSocket) -> int:
    """Read until the closing frame, and return its code."""
    async with within():
        while (got := await raw.read_frame())[0] != CLOSE:
            pass
    return int.from_bytes(got[1][:2], "big")


async def is_served(raw: RawSocket) -> bool:
    """Whether the connection is alive: a text comes back."""
    raw.send(frame(TEXT, b"still here"))
    while (got := await raw.read_frame())[0] == PONG:
        pass
    return got == (TEXT, b"still here")


# --- frames without content ---

FLOODS = {
    "empty pings": frame(PING, b""),
    "large pings": frame(PING, b"x" * 125),
    "empty pongs": frame(PONG, b""),
    "large pongs": frame(PONG, b"x" * 125),
    "pongs like ours": frame(PONG, b"idle"),
    "empty continuations": frame(CONTINUATION, b"", fin=False),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_floods_of_empty_frames_are_closed(raw: RawSocket, flood: bytes) -> None:
    """Control frames, and continuations that bring nothing, close the socket with 4429 when they are many."""
    raw.send(frame(TEXT, b"", fin=False))
    raw.send(flood * (FRAME_BURST + 500))
    assert await closed(raw) == 4429


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_some_empty_frames_are_allowed(raw: RawSocket, flood: bytes) -> None:
    """A client may ping, pong and fragment as it likes, as long as that is not all it does."""
    raw.send(frame(TEXT, b"", fin=False))
    raw.send(flood * 300)
    raw.send(frame(CONTINUATION, b""))
    while (got := await raw.read_frame())[0] == PONG:
        pass
    assert got[0] == TEXT
    assert await is_served(raw)


async def test_tiny_fragments_are_a_flood(raw: RawSocket) -> None:
    """Messages in pieces of one byte cost as much as empty frames, and count like them."""
    message = frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"x", fin=False) * 400 + frame(CONTINUATION, b"")
    raw.send(message)
    assert await raw.read_frame() == (TEXT, b"x" * 400)
    raw.send(message * 3)
    assert await closed(raw) == 4429


async def test_fragments_with_content_are_no_flood(raw: RawSocket) -> None:
    """Messages in pieces of 16 bytes and more are bounded by the limits on messages alone."""
    message = frame(TEXT, b"x" * 16, fin=False) + frame(CONTINUATION, b"x" * 16)
    for _ in range(2 * FRAME_BURST // 50):
        raw.send(message * 50)
        for _ in range(50):
            assert await raw.read_frame() == (TEXT, b"x" * 32)


async def test_a_handshake_that_we_have_no_time_for_is_told_to_come_again(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As where there is no room: 503 with `Retry-After`, not a 500 that nobody understands."""
    settings.WS_HANDSHAKE_TIMEOUT = SOON
    async with serving() as host:
        raw = await RawSocket.connect(host)
        raw.send(handshake(host, "token", "/never/"))
        async with within():
            head, _, body = (await raw.reader.read(-1)).partition(b"\r\n\r\n")
        raw.close()
        assert caplog.records == []
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 5\r\n" in head + b"\r\n"
    assert json.loads(body) == {"code": "RATE_LIMIT", "message": "Too many connections at the moment."}


async def test_a_flood_before_the_handshake_is_done_is_cut(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """Frames that come before the handshake is answered count as well; there is no frame to close with."""
    raw = await RawSocket.connect(host)
    raw.send(handshake(host, "token", "/never/"))
    await asyncio.sleep(0.05)
    raw.send(frame(PING, b"") * 2 * FRAME_BURST)
    async with within():
        while await raw.reader.read(65536):
            pass
    raw.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_floods_are_read_in_slices(raw: RawSocket) -> None:
    """Of all that has come at once a flooder's server parses a slice beyond the limit, and then no more."""
    raw.send(frame(PING, b"") * 100_000)
    pongs = 0
    async with within():
        while (await raw.read_frame())[0] == PONG:
            pongs += 1
    assert FRAME_BURST <= pongs < 4000


async def test_others_are_served_beside_a_flood(host: str) -> None:
    """However much a client has sent at once, another is answered after a slice of it."""
    flooder, other = await RawSocket.open(host, "token"), await RawSocket.open(host, "token")
    flooder.send(frame(PONG, b"") * 500_000)
    other.send(frame(TEXT, b"me too"))
    async with within():
        assert await other.read_frame() == (TEXT, b"me too")
        assert await closed(flooder) == 4429
    other.close()
    flooder.close()


async def test_who_goes_on_after_the_closing_frame_is_not_read(raw: RawSocket) -> None:
    """A client that sends on and on after it was closed is not read any more, and is cut off in the end."""
    sent = 0
    raw.send(frame(PONG, b"") * (FRAME_BURST + 500))
    assert await closed(raw) == 4429

    async def go_on() -> None:
        nonlocal sent
        piece = frame(PONG, b"") * (MOST_AFTER_CLOSE // 6)
        while True:
            raw.send(piece)
            await raw.writer.drain()
            sent += len(piece)

    with pytest.raises(ConnectionError):
        await go_on()
    assert sent < MOST_IN_BUFFERS


# --- who does not read ---


async def test_unread_pongs_are_not_kept(host: str, settings: Any) -> None:
    """A client that pings without reading gets the answer to its last ping when it reads again."""
    settings.WS_READ_TIMEOUT = settings.WS_WRITE_TIMEOUT = LATER
    raw = await RawSocket.connect(host)
    raw.send(handshake(host, "token", "/flood/?20000"))
    async with within():
        await raw.reader.readuntil(b"\r\n\r\n")
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)  # until the server is stuck; if it were not, the test would see more pongs
        for number in range(500):
            raw.send(frame(PING, b"%d" % number))
        await asyncio.sleep(0.2)
        raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
        pongs: list[bytes] = []
        texts = 0
        while texts < 20_000 or not pongs:
            opcode, payload = await frame_of(raw)
            texts += opcode == TEXT
            if opcode == PONG:
                pongs.append(payload)
    assert pongs == [b"499"]
    raw.close()


async def test_who_takes_nothing_is_closed(host: str, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A client that takes nothing for `WS_WRITE_TIMEOUT` is closed with 1013, whether more is to be sent or not."""
    settings.WS_WRITE_TIMEOUT = SOON
    raw = await RawSocket.connect(host)
    raw.send(handshake(host, "token", "/flood/?20000"))
    await raw.reader.readuntil(b"\r\n\r\n")
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    other = await RawSocket.open(host, "token")
    for _ in range(3):
        await asyncio.sleep(SOON.total_seconds())
        assert await is_served(other)
    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert await closed(raw) == 1013
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    other.close()
    raw.close()


# --- silence ---


async def test_idle_sockets_are_pinged(settings: Any) -> None:
    """A socket on which we are silent for `WS_IDLE_PING` is pinged, long before `WS_PING_PERIOD`."""
    settings.WS_PING_PERIOD, settings.WS_IDLE_PING = LATER, SOON
    async with serving() as host, within():
        raw = await RawSocket.open(host, "token")
        for _ in range(3):
            assert await frame_of(raw) == (PING, b"idle")
            raw.send(frame(PONG, b"idle"))
        raw.close()


async def test_busy_sockets_are_not_pinged(settings: Any) -> None:
    """A socket on which we have something to say needs no ping."""
    settings.WS_PING_PERIOD, settings.WS_IDLE_PING = LATER, timedelta(seconds=1)
    async with serving() as host, within():
        busy, idle = await RawSocket.open(host, "token"), await RawSocket.open(host, "token")
        waiting = asyncio.create_task(frame_of(idle))
        while not waiting.done():
            busy.send(frame(TEXT, b"x"))
            assert await frame_of(busy) == (TEXT, b"x")
            await asyncio.sleep(0.01)
        assert waiting.result() == (PING, b"idle")
        idle.close()
        busy.close()


async def test_one_ping_has_one_answer(settings: Any) -> None:
    """A client that answers a ping of ours a thousand times is flooding."""
    settings.WS_PING_PERIOD, settings.WS_IDLE_PING = LATER, SOON
    async with serving() as host, within():
        raw = await RawSocket.open(host, "token")
        assert await frame_of(raw) == (PING, b"idle")
        settings.WS_IDLE_PING = LATER
        raw.send(frame(PONG, b"idle") * (FRAME_BURST + 500))
        assert await closed(raw) == 4429
        raw.close()


async def test_answers_to_our_pings_are_free(settings: Any) -> None:
    """Many pings of ours, each answered, are no flood of the client's."""
    settings.WS_PING_PERIOD, settings.WS_IDLE_PING = LATER, timedelta(microseconds=100)
    async with serving() as host, within():
        raw = await RawSocket.open(host, "token")
        for _ in range(2 * FRAME_BURST):
            assert (await frame_of(raw))[0] == PING
            raw.send(frame(PONG, b"idle"))
        raw.send(frame(TEXT, b"x"))
        while (got := await frame_of(raw))[0] == PING:
            raw.send(frame(PONG, b"idle"))
        assert got == (TEXT, b"x")
        raw.close()


# --- handshakes ---


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Cookie: %s\r\n" % (b"x" * 9000), 431),
        (b"X-A: b\r\n" * 200, 431),
        (b"Content-Length: 3\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
    ],
    ids=["cookies", "headers", "body", "chunked"],
)
async def test_handshakes_that_cannot_be_read_are_answered(host: str, header: bytes, status: int) -> None:
    """A handshake that the WebSocket library does not take is answered at once, and not met with silence."""
    raw = await RawSocket.connect(host)
    raw.send(handshake(host, "token")[:-2] + header + b"\r\n")
    async with within():
        answer = await raw.reader.read()
    assert int(answer.split(b" ")[1]) == status
    assert answer.endswith(b'."}')
    raw.close()


async def test_handshakes_with_some_cookies_are_good(host: str) -> None:
    """Cookies of 8 kB are no reason to refuse a handshake."""
    raw = await RawSocket.connect(host)
    raw.send(handshake(host, "token")[:-2] + b"Cookie: %s\r\n\r\n" % (b"x" * 8000))
    async with within():
        assert await raw.reader.readexactly(12) == b"HTTP/1.1 101"
    raw.close()


async def test_open_sockets_count_no_more_by_address(settings: Any) -> None:
    """Once the handshake is done a connection belongs to a person, and makes room for others from its address."""
    settings.MAX_UNKNOWN_PER_ADDRESS = 1
    async with serving() as host, within():
        sockets = [await RawSocket.open(host, "token") for _ in range(5)]
        for raw in sockets:
            assert await is_served(raw)
            raw.close()
