import asyncio
from typing import Any

import pytest

from nebengjek import asgi
from realtime.server.background import Background, background

pytestmark = pytest.mark.django_db(transaction=True)


async def run_lifespan() -> tuple[asyncio.Task[None], asyncio.Queue[Any], asyncio.Queue[Any]]:
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    outgoing: asyncio.Queue[Any] = asyncio.Queue()
    task = asyncio.create_task(asgi.application({"type": "lifespan"}, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    return task, incoming, outgoing


async def test_background_lives_with_the_server() -> None:
    """The background work starts and stops with the lifespan."""
    task, incoming, outgoing = await run_lifespan()
    assert await outgoing.get() == {"type": "lifespan.startup.complete"}
    assert background().is_running
    await incoming.put({"type": "lifespan.shutdown"})
    assert await outgoing.get() == {"type": "lifespan.shutdown.complete"}
    await task
    assert not background().is_running


async def test_failed_starts_say_why() -> None:
    """A startup that fails is reported to the server with its reason."""
    other = Background()
    other.ensure_started()
    task, _, outgoing = await run_lifespan()
    message = await outgoing.get()
    assert message["type"] == "lifespan.startup.failed"
    assert "Another server runs on" in message["message"]
    await task
    await other.stop()


async def test_the_first_request_starts_background() -> None:
    """Without a lifespan the first request starts the background work."""
    sent: list[Any] = []

    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in requests:
            return message
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/health/live", "raw_path": b"/health/live", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    await asgi.application(scope, receive, send)
    assert sent[0]["status"] == 200
    assert background().is_running
    await background().stop()
