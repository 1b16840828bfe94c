"""Who is on the roll, who is silent, and who is forgotten."""

import asyncio
import os
from typing import Any

import pytest

from common import roll
from common.background_tasks import end
from common.redis import async_redis, sync_redis
from common.roll import KEY, Roll, silent_processes
from devservers.servers import ValkeyServer
from tests.patience import until

NO_PID = 2**22 + 1
"""The number of no process: that is the most which Linux has, and macOS has fewer."""

pytestmark = pytest.mark.usefixtures("redis_url")


async def members() -> list[str]:
    client: Any = async_redis()
    return [name.decode() for name in await client.zrange(KEY, 0, -1)]


def said(seconds_ago: float, name: str) -> None:
    client: Any = sync_redis()
    seconds, _ = client.time()
    client.zadd(KEY, {name: seconds - seconds_ago})


async def test_a_process_is_on_the_roll_while_it_runs() -> None:
    web = Roll("web")
    running = asyncio.create_task(web.run())

    async def is_there() -> bool:
        return await members() == [web.name]

    await until(is_there)
    assert silent_processes() == {}
    await end(running)
    assert await members() == []


async def test_who_is_silent_is_named() -> None:
    said(2, "web a:1")
    said(4, "web b:1")
    said(15, "bridge a:2")
    assert set(silent_processes()) == {"web b:1", "bridge a:2"}
    assert 3 < silent_processes()["web b:1"] < 7


async def test_who_is_gone_is_forgotten() -> None:
    """Nobody stays on the roll who was killed long ago."""
    said(21, "web a:1")
    assert silent_processes() == {}
    await Roll("web").beat()
    assert await members() == [Roll("web").name]


async def test_one_that_was_killed_is_replaced() -> None:
    """A process that begins takes the place of one of its kind that was killed on this machine, and of no other."""
    web = Roll("web")
    place = web.name.removesuffix(str(os.getpid()))
    gone = (f"{place}{NO_PID}", f"{place}{NO_PID + 1}")
    others = (f"{place}{os.getppid()}", "web elsewhere:1", f"bridge {place.removeprefix('web ')}{NO_PID}")
    for seconds, name in enumerate((*others, *gone), 4):
        said(seconds, name)
    running = asyncio.create_task(web.run())

    async def is_there() -> bool:
        return web.name in await members()

    await until(is_there)
    assert set(silent_processes()) == {*others, gone[0]}
    await end(running)


async def test_it_goes_on_when_redis_is_back(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis that is away is no fault of the roll, and no line in the log."""
    monkeypatch.setattr(roll, "INTERVAL", 0.05)
    running = asyncio.create_task(Roll("web").run())
    await asyncio.to_thread(valkey.stop)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(valkey.start)
    await until(lambda: not running.done() and sync_redis().zcard(KEY))
    await end(running)


async def test_the_script_is_sent_once() -> None:
    """Each process says so every second: its hash is enough."""
    await async_redis().config_resetstat()
    await async_redis().script_flush()
    for _ in range(3):
        await Roll("web").beat()
    calls = await async_redis().info("commandstats")
    assert (calls["cmdstat_eval"]["calls"], calls["cmdstat_evalsha"]["calls"]) == (1, 3)
