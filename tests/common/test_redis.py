"""The clients of a process, on a real Valkey."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from common.redis import (
    AWAY,
    MAX_CONNECTIONS,
    ListeningConnection,
    Script,
    async_options,
    async_redis,
    close_async_redis,
    eviction_policy,
    sync_redis,
)
from devservers.process import free_port
from devservers.servers import ValkeyServer
from realtime.delivery.history.redis import EPOCH
from tests.redis_faults import REFUSALS


@pytest.mark.usefixtures("redis_url")
async def test_the_threads_of_a_process_have_one_client_and_its_loop_another() -> None:
    clients = [sync_redis()]
    thread = threading.Thread(target=lambda: clients.append(sync_redis()))
    thread.start()
    thread.join()
    assert clients[0] is clients[1]
    assert async_redis() is async_redis()
    clients[0].set("place", "Monas")
    assert await async_redis().get("place") == b"Monas"


@pytest.mark.usefixtures("redis_url")
async def test_each_event_loop_has_its_own() -> None:
    here = async_redis()
    await here.set("place", "Monas")

    async def elsewhere() -> tuple[bool, object]:
        value = await async_redis().get("place")
        is_another = async_redis() is not here
        await close_async_redis()
        return is_another, value

    assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) == (True, b"Monas")
    assert async_redis() is here
    assert await here.get("place") == b"Monas"


@pytest.mark.usefixtures("redis_url")
async def test_whoever_finds_no_connection_waits_for_one() -> None:
    """After a failover thousands look at once for what they missed; the library's own pool refuses the 101st."""
    script = Script(EPOCH, EPOCH.with_name("heads.lua"))
    before = {client["id"] for client in sync_redis().client_list()}  # also what an earlier test has not yet closed
    answers = await asyncio.gather(*(script(args=["any:", "generation", str(n)]) for n in range(10 * MAX_CONNECTIONS)))
    assert len(answers) == 10 * MAX_CONNECTIONS
    ours = {client["id"] for client in await async_redis().client_list()} - before
    assert 1 < len(ours) <= MAX_CONNECTIONS


@pytest.mark.usefixtures("redis_url")
@pytest.mark.parametrize("size", [0, 1, 60_000, 10_000_000])
async def test_whatever_is_sent_arrives_whole_and_in_order(size: int) -> None:
    """Also what the socket does not take at once, and what comes behind it."""
    values = [f"{n}".encode() * (size // len(f"{n}")) for n in range(4)]
    await asyncio.gather(*(async_redis().rpush(f"list {n % 2}", value) for n, value in enumerate(values)))
    kept = [await async_redis().lrange(f"list {n}", 0, -1) for n in range(2)]
    assert [sorted(values[::2]), sorted(values[1::2])] == [sorted(found) for found in kept]


async def test_who_cannot_send_gives_up_in_time(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is frozen takes what its socket has room for, and then nothing."""
    monkeypatch.setattr("common.redis.ANSWER_TIMEOUT", 0.2)
    with ValkeyServer(tmp_path) as valkey:
        settings.REDIS_URL = valkey.url
        await async_redis().ping()
        assert valkey.process is not None
        valkey.process.send_signal(signal.SIGSTOP)
        with pytest.raises(redis.TimeoutError):
            await async_redis().set("place", b"Monas" * 4_000_000)
        valkey.process.send_signal(signal.SIGCONT)
        assert await async_redis().ping()
        await close_async_redis()


@pytest.mark.usefixtures("redis_url")
async def test_what_was_closed_is_made_anew() -> None:
    first = async_redis()
    await first.ping()
    await close_async_redis()
    await close_async_redis()
    assert async_redis() is not first
    assert await async_redis().ping()


@pytest.mark.usefixtures("redis_url")
async def test_a_connection_that_has_gone_is_made_again() -> None:
    await async_redis().ping()
    sync_redis().ping()
    killed = sync_redis().client_kill_filter(_type="normal", skipme=False)
    assert killed >= 2
    assert await async_redis().ping()
    assert sync_redis().ping()


async def test_after_a_restart_the_server_is_found_again(tmp_path: Path, settings: Any) -> None:
    with ValkeyServer(tmp_path) as valkey:
        settings.REDIS_URL = valkey.url
        sync_redis.cache_clear()
        sync_redis().set("place", "Monas")
        assert await async_redis().get("place") == b"Monas"
        valkey.stop()
        for away in (sync_redis().ping, lambda: None):
            with pytest.raises(AWAY):
                await asyncio.to_thread(away) or await async_redis().ping()
        valkey.start()
        assert sync_redis().get("place") == b"Monas"
        assert await async_redis().get("place") == b"Monas"
        await close_async_redis()
        sync_redis().close()
    sync_redis.cache_clear()


async def test_where_there_is_no_server_both_say_so(settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    sync_redis.cache_clear()
    with pytest.raises(AWAY):
        sync_redis().ping()
    with pytest.raises(AWAY):
        await async_redis().ping()
    await close_async_redis()
    sync_redis.cache_clear()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server of its own, for tests that make it refuse to work."""
    with ValkeyServer(tmp_path_factory.mktemp("refusing")) as server:
        yield server


@pytest.mark.parametrize("word", REFUSALS)
async def test_a_server_that_refuses_is_unavailable(refusing: ValkeyServer, settings: Any, word: str) -> None:
    """It answers with an error that passes: also to scripts, pipelines and threads; afterwards all is well."""
    settings.REDIS_URL = refusing.url
    sync_redis.cache_clear()
    script = Script(Path(__file__).with_name("set.lua"))
    operator = redis.Redis.from_url(refusing.url, socket_timeout=None)
    undo = REFUSALS[word](refusing, operator)
    try:
        for attempt in (lambda: async_redis().set("a", 1), lambda: script(keys=["a"], args=[1]), set_in_pipeline):
            with pytest.raises(AWAY):
                await attempt()
        with pytest.raises(AWAY):
            sync_redis().set("a", 1)
    finally:
        undo()
    assert await script(keys=["a"], args=[1])
    assert await async_redis().get("a") == b"1"
    operator.close()
    sync_redis().close()
    sync_redis.cache_clear()
    await close_async_redis()


async def set_in_pipeline() -> None:
    async with async_redis().pipeline(transaction=False) as pipeline:
        pipeline.set("a", 1)
        await pipeline.execute()


@pytest.mark.usefixtures("redis_url")
async def test_a_wrong_command_is_no_outage() -> None:
    await async_redis().set("a", "text")
    with pytest.raises(redis.ResponseError) as caught:
        await async_redis().incr("a")
    assert not isinstance(caught.value, AWAY)


@pytest.mark.usefixtures("redis_url")
async def test_a_script_is_sent_once_and_again_when_it_was_forgotten() -> None:
    await async_redis().config_resetstat()
    await async_redis().script_flush()
    script = Script(Path(__file__).with_name("set.lua"))
    for _ in range(2):
        assert await script(keys=["a"], args=[1])
    assert (await async_redis().info("commandstats"))["cmdstat_eval"]["calls"] == 1
    await async_redis().script_flush()
    assert await script(keys=["a"], args=[2])
    assert await async_redis().get("a") == b"2"


@pytest.mark.usefixtures("redis_url")
async def test_the_eviction_policy_is_known() -> None:
    await async_redis().config_set("maxmemory-policy", "allkeys-lru")
    assert await eviction_policy() == "allkeys-lru"
    await async_redis().config_set("maxmemory-policy", "noeviction")
    assert await eviction_policy() == "noeviction"


@pytest.mark.usefixtures("redis_url")
async def test_who_listens_waits_for_what_is_published(settings: Any) -> None:
    """However short the time is that channels_redis asks for: it would look again, ten times a second."""
    options = {**async_options(), "connection_class": ListeningConnection}
    client = redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool.from_url(settings.REDIS_URL, **options))
    async with client.pubsub(ignore_subscribe_messages=True) as listener:
        await listener.subscribe("news")
        assert await listener.get_message(timeout=0.01) is None  # that it has subscribed
        listening = asyncio.create_task(listener.get_message(timeout=0.01))
        await asyncio.sleep(0.1)
        await async_redis().publish("news", "hello")
        message = await listening
    await client.aclose()
    assert message is not None
    assert message["data"] == b"hello"
