"""How a server waits for its end."""

import asyncio
import signal

import pytest

from realtime.server import uvicorn_server as module
from realtime.server.uvicorn_server import Server, make_config
from tests.patience import within


async def test_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a look in between, of which uvicorn has ten a second."""
    monkeypatch.setattr(module, "TICK", 3600.0)
    monkeypatch.setattr(module, "end_in_time", lambda _: None)
    server = Server(make_config(None), lambda _: None, demo=False)
    looks: list[int] = []

    async def on_tick(counter: int) -> bool:
        looks.append(counter)
        return server.should_exit

    monkeypatch.setattr(server, "on_tick", on_tick)
    running = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.3)
    assert looks == [0]
    server.handle_exit(signal.SIGTERM, None)
    async with within():
        await running
    assert looks == [0, 0]


async def test_a_signal_before_the_wait_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 3600.0)
    monkeypatch.setattr(module, "end_in_time", lambda _: None)
    server = Server(make_config(None), lambda _: None, demo=False)
    server.handle_exit(signal.SIGTERM, None)
    async with within():
        await server.main_loop()


async def test_the_date_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)
    server = Server(make_config(None), lambda _: None, demo=False)
    server.config.load = lambda: None  # type: ignore[method-assign]
    server.config.encoded_headers = []
    running = asyncio.create_task(server.main_loop())
    async with within():
        for _ in range(2):
            server.server_state.default_headers = []
            while not server.server_state.default_headers:
                await asyncio.sleep(0.01)
    assert server.server_state.default_headers[0][0] == b"date"
    server._told.set()
    server.should_exit = True
    await running
