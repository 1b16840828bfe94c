"""The command as a process, on real servers and the database of the test."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from nats.aio.client import Client

from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from devservers.servers import NatsServer
from devservers.web import ServerProcess
from events.models import OutboxEvent
from events.stream import DURABLE, STREAM
from realtime.bridge.lease import KEY
from rides.services.beacons import beacon_update
from tests.cast import propose
from tests.database import database_url
from tests.patience import until
from tests.realtime.bridge.conftest import told
from users.models import User

Make = Callable[..., ServerProcess]


@pytest.fixture
def make(
    distributed: None, transactional_db: None, tmp_path: Path, nats_server: NatsServer, redis_url: str
) -> Iterator[Make]:
    """Start bridges, and leave none behind."""
    made: list[ServerProcess] = []
    env = {"DATABASE_URL": database_url(), "REDIS_URL": redis_url, "NATS_URL": nats_server.url}

    def start(*args: str) -> ServerProcess:
        made.append(ServerProcess(tmp_path, "manage.py", "run_nats_bridge", *args, **env).launch())
        return made[-1]

    yield start
    for process in made:
        if process.is_alive:
            process.kill()


async def ended(process: ServerProcess) -> tuple[int, str]:
    """Return how a process ended and what it said, when it has."""
    running, reader = process.process, process._reader
    assert running is not None
    assert running.stdout is not None
    assert reader is not None
    code = await asyncio.to_thread(running.wait)
    await asyncio.to_thread(reader.join)
    running.stdout.close()
    return code, "".join(process.output)


@pytest.mark.parametrize("url", [{}, {"REDIS_URL": "redis://127.0.0.1"}, {"NATS_URL": "nats://127.0.0.1"}])
def test_missing_urls_are_named(settings: Any, url: dict[str, str]) -> None:
    """Without REDIS_URL and NATS_URL the bridge says what is missing."""
    for name, value in url.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError, match=r"Set REDIS_URL and NATS_URL: without them `manage\.py serve` does all"):
        call_command("run_nats_bridge", skip_checks=True)


@pytest.mark.usefixtures("real_start")
async def test_once_delivers_and_ends(make: Make, nats_client: Client, dewi: User, putri: User) -> None:
    """`--once` lists what it bridges, delivers what waits and ends."""
    await in_write_thread(propose, dewi, putri)
    code, output = await ended(make("--once"))
    assert code == 0, output
    assert f"Bridging the stream {STREAM} (match.*, ride.*, payment.*) and the sockets:" in output
    for line in ("match.found        -> match_proposal", "ride.started       -> ride_start"):
        assert f"  {line}\n" in output
    assert output.endswith("Done: delivered=1 ignored=0 dead=0 relayed=2 replayed=0\n")
    assert [frame["type"] for frame in await told(putri.pk)] == ["finder_update", "match_proposal"]
    assert [frame["type"] for frame in await told(dewi.pk)] == ["match_proposal"]


async def test_once_defers_to_an_active_bridge(make: Make, dewi: User) -> None:
    """`--once` leaves the work to a bridge that is active."""
    await async_redis().set(KEY, "another")
    await in_write_thread(beacon_update, user_id=dewi.pk, is_active=True)
    code, output = await ended(make("--once"))
    assert code == 0, output
    assert "Another bridge is active and does this.\n" in output
    assert await in_read_thread(OutboxEvent.objects.filter(published_at__isnull=True).count) == 1
    assert await async_redis().get(KEY) == b"another"


async def test_a_wrong_stream_ends_it(make: Make, nats_client: Client) -> None:
    """A stream without our subjects ends the command with an error."""
    await nats_client.jetstream().add_stream(name=STREAM, subjects=["match.*"])
    code, output = await ended(make())
    assert code == 1
    assert f"CommandError: The stream {STREAM} lacks the subjects payment.*, ride.*." in output
    assert await async_redis().get(KEY) is None


@pytest.mark.usefixtures("real_start")
async def test_sigterm_finishes_the_batch(make: Make, nats_client: Client, dewi: User) -> None:
    """On SIGTERM it finishes its batch and leaves nothing unacknowledged."""
    process = make()
    await asyncio.to_thread(process.wait_for, f"(Bridging: stream={STREAM} consumer={DURABLE} after=0)")
    for n in range(3):
        await nats_client.publish("match.found", json.dumps({"driver_id": str(dewi.pk), "n": n}).encode())
    await nats_client.flush()
    await until(lambda: async_redis().get(f"nebengjek:head:{dewi.pk}"))
    assert process.process is not None
    process.process.terminate()
    code, output = await ended(process)
    assert code == 0, output
    assert "Done: delivered=" in output
    info = await nats_client.jetstream().consumer_info(STREAM, DURABLE)
    assert not info.num_ack_pending
    assert await async_redis().get(KEY) is None  # another may begin at once
    assert len(await told(dewi.pk)) + info.num_pending == 3  # a batch is finished, and no other is begun


async def test_a_standby_can_be_stopped(make: Make) -> None:
    """A bridge on standby ends on SIGTERM and leaves the lease alone."""
    await async_redis().set(KEY, "another")
    process = make()
    await asyncio.to_thread(process.wait_for, "(Standing by: another bridge is active)")
    assert process.process is not None
    process.process.terminate()
    code, output = await ended(process)
    assert code == 0, output
    assert output.endswith("Done: delivered=0 ignored=0 dead=0 relayed=0 replayed=0\n")
    assert await async_redis().get(KEY) == b"another"
