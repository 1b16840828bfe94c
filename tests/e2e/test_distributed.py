"""The distributed system as people and operators meet it: several web processes, bridges, and a dispatcher."""

from __future__ import annotations

import asyncio
import re
import subprocess
from typing import Any

import httpx
import pytest

from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.collector import Collector, Span, path_to
from tests.e2e.client import PLACE, TARGET, Client, ride_to_pickup
from tests.patience import TIMEOUT, until
from tests.stress.faults import unacknowledged

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER = "+6281200000001", "+6281200000003"


async def pair(topology: Topology) -> tuple[Client, Client]:
    """A driver on one web process and a passenger on the other."""
    one, other = topology.webs
    tokens = one.log_in(DRIVER, driver=True), other.log_in(PASSENGER)
    return await Client.connect(one.url, tokens[0]), await Client.connect(other.url, tokens[1])


async def finish(driver: Client, passenger: Client, ride_id: str) -> None:
    """Drive a short way, arrive and pay."""
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    await passenger.data_of("ride_start")
    assert (await driver.do("ride_arrived", ride_id=ride_id))["type"] == "ack"
    bill = await passenger.data_of("payment_process")
    await passenger.do("payment_process", ride_id=ride_id, total_cost=bill["total_cost"], status="ACCEPTED")
    for person in (driver, passenger):
        assert (await person.data_of("ride_completed"))["ride"]["status"] == "COMPLETED"
        assert person.numbers == list(range(person.numbers[0], person.numbers[0] + len(person.numbers)))


async def test_a_ride_spans_two_processes(topology: Topology, collector: Collector) -> None:
    """A driver and a passenger on different web processes complete a ride; the match is one trace over all of them."""
    driver, passenger = await pair(topology)
    ride_id = await ride_to_pickup(driver, passenger)
    await driver.do("location_update", **PLACE)
    assert (await passenger.data_of("location_update"))["ride_id"] == ride_id
    await finish(driver, passenger, ride_id)
    assert not await unacknowledged(topology.nats.url)
    await driver.hang_up()
    await passenger.hang_up()
    whole = [
        "frame match_confirm", "command match_confirm", "event match.accepted", "relay match.accepted",
        "bridge match_confirm", "layer match_confirm", "socket match_confirm",
    ]  # fmt: skip
    await until(lambda: paths_to_sockets(collector, ride_id) == [whole, whole])
    spans = trace_of(collector, ride_id)
    services = {span.name.split()[0]: span.service for span in spans}
    assert services["frame"] == services["event"] == services["socket"] == "nebengjek-web"
    assert services["relay"] == services["layer"] == "nebengjek-bridge"


def trace_of(collector: Collector, ride_id: str) -> list[Span]:
    """The trace in which a ride was booked."""
    booked = [span for span in collector.spans if span.name == "event ride.pickup"]
    found = [span.trace for span in booked if span.attributes["nebengjek.key"] == ride_id]
    return collector.traces()[found[0]] if found else []


def paths_to_sockets(collector: Collector, ride_id: str) -> list[list[str]]:
    """The steps that led to what was written to sockets about the match in that trace."""
    spans = trace_of(collector, ride_id)
    return [path_to(spans, span) for span in spans if span.name == "socket match_confirm"]


async def test_one_session_per_user(topology: Topology) -> None:
    """A newer connection closes the older one with 4409, whichever processes they are on."""
    token = topology.webs[0].log_in(DRIVER, driver=True)
    sockets = [await Client.connect(web.url, token) for web in (*topology.webs, *topology.webs)]
    for socket in sockets[:-1]:
        assert await socket.closed_with() == 4409
    assert (await sockets[-1].do("sync"))["type"] == "ack"
    await sockets[-1].hang_up()


async def test_logout_closes_sockets_elsewhere(topology: Topology) -> None:
    """A logout on one process closes the socket on another with 4401."""
    one, other = topology.webs
    async with httpx.AsyncClient(base_url=one.url, timeout=TIMEOUT) as client:
        await client.post("/api/auth/otp/", json={"msisdn": PASSENGER})
        code = await asyncio.to_thread(one.wait_for, rf"SMS to {re.escape(PASSENGER)}: (\d{{6}})")
        session = (await client.post("/api/auth/token/", json={"msisdn": PASSENGER, "otp": code})).json()
        socket = await Client.connect(other.url, session["access"])
        await socket.data_of("session_ready")
        assert (await client.post("/api/auth/logout/", json={"refresh": session["refresh"]})).status_code == 204
    assert await socket.closed_with() == 4401


async def test_an_empty_redis_is_recovered(topology: Topology) -> None:
    """After Redis lost everything, clients get the state again and drivers are found."""
    driver, passenger = await pair(topology)
    assert (await driver.do("beacon_update", is_active=True, **PLACE))["type"] == "ack"
    epoch = (await driver.find(lambda frame: frame["type"] == "session_ready"))["data"]["epoch"]
    topology.valkey.kill()
    topology.valkey.wipe()
    topology.valkey.start()
    for person in (driver, passenger):
        ready = await person.find(lambda frame: _is_new_state(frame, epoch))
        assert ready["data"]["recovered"] is False
    await driver.do("location_update", **PLACE)
    await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    proposal = await driver.find(lambda frame: frame["type"] == "match_proposal")
    match_id = proposal["data"]["match_id"]
    for person in (driver, passenger):
        assert (await person.do("match_confirm", match_id=match_id, accepted=True))["type"] == "ack"
    pickup = await passenger.find(lambda frame: frame["type"] == "ride_pickup")
    await driver.do("location_update", **PLACE)
    await finish(driver, passenger, pickup["data"]["ride_id"])
    await driver.hang_up()
    await passenger.hang_up()


def _is_new_state(frame: dict[str, Any], epoch: str) -> bool:
    return bool(frame["type"] == "session_ready" and frame["data"]["epoch"] != epoch)


async def test_searches_end_beside_a_dispatcher(topology: Topology) -> None:
    """With the timers in a dispatcher, a search that is switched off ends with a numbered event."""
    driver, passenger = await pair(topology)
    await driver.do("beacon_update", is_active=False)
    await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    await passenger.do("finder_update", is_active=False)
    ended = await passenger.find(lambda frame: frame["type"] == "finder_update" and not frame["data"]["is_active"])
    assert "seq" in ended
    assert topology.dispatcher.is_alive
    await driver.hang_up()
    await passenger.hang_up()


def test_a_stopped_bridge_reports_counts(topology: Topology) -> None:
    """While it is active `--once` leaves the work to it; on SIGTERM it logs its counts."""
    bridge = topology.bridges[0]
    again = _bridge(topology, "--once")
    assert "Another bridge is active" in again.stdout, again.stdout + again.stderr
    assert bridge.stop() == 0
    said = "".join(bridge.output)
    assert "match.found        -> match_proposal" in said
    assert re.search(r"Done: delivered=[1-9]\d* ignored=0 dead=0 relayed=[1-9]\d*", said), said[-500:]
    once = _bridge(topology, "--once")
    assert once.returncode == 0
    assert "Done: delivered=0" in once.stdout
    bridge.launch()


def _bridge(topology: Topology, *args: str) -> subprocess.CompletedProcess[str]:
    process: ServerProcess = topology.webs[0]
    return process.manage("run_nats_bridge", *args)
