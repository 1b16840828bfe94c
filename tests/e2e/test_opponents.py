"""A real server among clients that want to keep it busy: everybody else is served."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from devservers.patience import TIMEOUT, within
from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.e2e.conftest import StartServer
from tests.stress.rawsocket import CONTINUATION, PING, PONG, TEXT, RawSocket, frame

pytestmark = pytest.mark.e2e
PUTRI, SARI = "+6281200000003", "+6281200000004"

FEW_DESCRIPTORS = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
sys.argv = ["manage.py", "serve", "--port", "0"]
runpy.run_path("manage.py", run_name="__main__")
"""

SLOW = {
    "nothing": b"",
    "heads": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "bodies": b"POST /api/auth/otp/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
    "second requests": b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
}


@contextmanager
def slow_connections(server: ServerProcess, count: int, beginning: bytes) -> Iterator[list[socket.socket]]:
    """Open so many connections that begin a request and do not finish it."""
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection((host, int(port)), TIMEOUT)))
            made[-1].sendall(beginning)
        yield made


@pytest.mark.parametrize("beginning", SLOW.values(), ids=SLOW)
async def test_slow_connections_keep_nobody_out(start_server: StartServer, beginning: bytes) -> None:
    """More slow connections than the server may open files: REST and sockets work on, for all."""
    server = start_server("-c", FEW_DESCRIPTORS, WS_HANDSHAKE_TIMEOUT="1m")
    tokens = [server.log_in(number) for number in (PUTRI, SARI)]
    early = await Client.connect(server.url, tokens[0])
    with slow_connections(server, 400, beginning):
        assert (await early.do("sync"))["type"] == "ack"
        for _ in range(20):
            async with httpx.AsyncClient(timeout=TIMEOUT) as rest:
                assert (await rest.get(f"{server.url}/health/ready")).status_code == 200
                headers = {"Authorization": f"Bearer {tokens[1]}"}
                assert (await rest.get(f"{server.url}/api/me/", headers=headers)).status_code == 200
        late = await Client.connect(server.url, tokens[1])
        assert (await late.do("sync"))["type"] == "ack"
    await early.hang_up()
    await late.hang_up()
    said = "".join(server.output)
    assert "Too many open files" not in said
    assert "Traceback" not in said


FLOODS = {
    "pings": frame(PING, b""),
    "pongs": frame(PONG, b""),
    "continuations": frame(CONTINUATION, b"", fin=False),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_floods_of_empty_frames_end(server: ServerProcess, flood: bytes) -> None:
    """A client that sends a megabit of frames without content is closed with 4429; another is answered meanwhile."""
    host = server.url.removeprefix("http://")
    other = await Client.connect(server.url, server.log_in(SARI))
    flooder = await RawSocket.open(host, server.log_in(PUTRI))
    flooder.send(frame(TEXT, b"", fin=False) + flood * (1_000_000 // 8 // len(flood)))
    assert (await other.do("sync"))["type"] == "ack"
    async with within():
        assert await flooder.end() == 4429
    flooder.close()
    await other.hang_up()


def ask(server: ServerProcess, path: str = "/ws/", **headers: str) -> httpx.Response:
    """Send a request with these headers."""
    return httpx.get(server.url + path, headers=headers, timeout=TIMEOUT)


def shake_hands(server: ServerProcess, **headers: str) -> httpx.Response:
    """Send a handshake with these headers too."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    return ask(server, **upgrade, **headers)


def say(server: ServerProcess, request: bytes) -> bytes:
    """Send any bytes, and return the first line of the answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as connection, connection.makefile("rb") as answer:
        connection.sendall(request)
        return answer.readline()


async def test_odd_requests_are_explained(server: ServerProcess) -> None:
    """A handshake without `Upgrade`, with huge cookies, or of another client than this machine gets an answer."""
    assert say(server, b"GET /health/ready HTTP/1.0\r\n\r\n").split()[1] == b"200"  # some probes name no host
    for path in ("/ws/", "/live/ws/"):
        answer = await asyncio.to_thread(ask, server, path)
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
        assert "Upgrade: websocket" in answer.json()["message"]
    answer = await asyncio.to_thread(shake_hands, server, Cookie="x" * 9000)
    assert (answer.status_code, answer.json()["code"]) == (431, "VALIDATION_FAILED")
    for forwarded in ({"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}):
        for answer in (ask(server, "/health/live", **forwarded), shake_hands(server, **forwarded)):
            assert answer.status_code == 403
            assert "SECRET_KEY" in answer.json()["message"]
    assert ask(server, "/health/live", **{"X-Forwarded-For": "127.0.0.1"}).status_code == 200
    answer = httpx.post(server.url + "/api/auth/otp/", content=b"x" * 2_000_000, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (413, "VALIDATION_FAILED")


async def test_a_post_with_h2c_works(server: ServerProcess) -> None:
    """Java's client offers HTTP/2 with its first request, whose body counts all the same."""
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABk"}
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as rest:
        for _ in range(2):
            answer = await rest.post("/api/auth/otp/", json={"msisdn": PUTRI}, headers=upgrade)
            assert answer.status_code == 202, answer.text
