"""Two shards as people meet them: a ride between people of different shards, while a bridge is killed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.shards import shard_of
from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.test_distributed import DRIVER, finish
from tests.patience import until_true

pytestmark = pytest.mark.e2e


@pytest.fixture
def sharded(template_cluster: Path, tmp_path: Path, settings: Any) -> Iterator[Topology]:
    """Two web processes, two bridges and two Valkeys."""
    with Topology(tmp_path, 2).with_data_of(template_cluster) as topology:
        settings.REDIS_SHARDS = [valkey.url for valkey in topology.valkeys[1:]]
        yield topology


def shard_of_token(token: str) -> int:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return shard_of(claims["user_id"])


def log_in_elsewhere(web: ServerProcess, shard: int) -> str:
    """Return the token of a passenger of another shard."""
    tokens = (web.log_in(f"+62812000001{number:02d}") for number in range(20))
    return next(token for token in tokens if shard_of_token(token) != shard)


def bridge_of(topology: Topology, stream: str) -> ServerProcess:
    """Return the bridge that delivers a stream, by its log."""

    def has_it(bridge: ServerProcess) -> bool:
        return bridge.is_alive and f"Bridging: stream={stream} " in "".join(bridge.output)

    until_true(lambda: any(map(has_it, topology.bridges)))
    return next(filter(has_it, topology.bridges))


def has_work(bridge: ServerProcess) -> bool:
    """Whether a bridge has taken a part, by its log."""
    return any("Bridging: stream=" in line or "Relaying the outbox" in line for line in bridge.output)


def is_well(topology: Topology) -> bool:
    """Whether all parts of the bridges' work are done by somebody."""
    checks = httpx.get(f"{topology.urls[0]}/health/detailed").json()
    return bool(checks["bridge"]["ok"] and checks["redis"]["ok"])


async def test_a_ride_spans_two_shards(sharded: Topology) -> None:
    """Each person is told everything once and in order, also while one of two bridges is killed."""
    one, other = sharded.webs
    token = one.log_in(DRIVER, driver=True)
    driver = await Client.connect(one.url, token)
    passenger = await Client.connect(other.url, log_in_elsewhere(other, shard_of_token(token)))
    ride_id = await ride_to_pickup(driver, passenger)
    await asyncio.to_thread(until_true, lambda: all(map(has_work, sharded.bridges)) and is_well(sharded))
    (await asyncio.to_thread(bridge_of, sharded, "NEBENGJEK_1")).kill()
    await driver.do("location_update", **PLACE)
    assert (await passenger.data_of("location_update"))["ride_id"] == ride_id
    await finish(driver, passenger, ride_id)
    await asyncio.to_thread(until_true, lambda: is_well(sharded))
    await driver.hang_up()
    await passenger.hang_up()
